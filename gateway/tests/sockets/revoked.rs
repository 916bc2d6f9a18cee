//! A key that the operator removes from the key file: its open requests end.

use std::time::Duration;

use gateway::access;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::{
    fake_vllm::{UpstreamBehaviour, start},
    open_lines::OpenLines,
    served::{Served, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma.";

/// A gateway with two keys and its key file. The operator later removes the key `revoked`.
struct KeyedGateway {
    served: Served,
    file: NamedTempFile,
    revoked: String,
    kept: String,
}

impl KeyedGateway {
    async fn start(mut settings: gateway::config::Settings) -> Self {
        let (revoked, kept) = ("l".repeat(32), "s".repeat(32));
        let file = NamedTempFile::new().unwrap();
        let lines = [("revoked", &revoked), ("kept", &kept)].map(|(name, key)| access::line_for(name, key).unwrap());
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        settings.auth_keys_file = Some(file.path().to_owned());
        Self { served: Served::ready(settings).await, file, revoked, kept }
    }

    /// Removes the key and reloads the file, as the operator does with SIGHUP.
    async fn revoke(&self) {
        std::fs::write(self.file.path(), access::line_for("kept", &self.kept).unwrap()).unwrap();
        assert_eq!(self.served.app.access.keys.as_ref().unwrap().reload().await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_line_batches_of_a_revoked_key_end_with_401_and_others_go_on() {
    let keyed = KeyedGateway::start(gateway::config::Settings::default()).await;
    let mut revoked = OpenLines::begin(keyed.served.address, &keyed.revoked).await;
    let mut kept = OpenLines::begin(keyed.served.address, &keyed.kept).await;
    for lines in [&mut revoked, &mut kept] {
        lines.send(&json!({"text": NOTE})).await;
        assert_eq!(lines.next().await["status"], 200);
    }
    keyed.revoke().await;
    let last = revoked.next().await;
    assert_eq!((&last["status"], &last["ends"], &last["index"]), (&json!(401), &json!(true), &json!(1)), "{last}");
    assert!(last["error"]["detail"].as_str().unwrap().contains("removed from the key file"), "{last}");
    let rest = revoked.rest().await;
    assert!(!rest.contains("status"), "{rest}");
    kept.send(&json!({"text": NOTE})).await;
    assert_eq!(kept.next().await["status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_extractions_of_a_revoked_key_end_with_401() {
    let fake = start(vec![UpstreamBehaviour::Hang]).await;
    let batch = json!({"notes": [{"text": NOTE}, {"text": NOTE}, {"text": NOTE}]}).to_string();
    let one = json!({"text": NOTE}).to_string();
    let lines = format!("{}\n", json!({"text": NOTE}));
    for (path, kind, body, expected) in [
        ("", "application/json", &one, 1),
        ("/stream", "application/json", &one, 1),
        ("/batch", "application/json", &batch, 3),
        ("/batch", "application/x-ndjson", &lines, 1),
    ] {
        let mut settings = with_model(&[fake.address]);
        settings.admission.in_flight = 1;
        let keyed = KeyedGateway::start(settings).await;
        let served = &keyed.served;
        let url = format!("http://{}/api/v1/extract{path}", served.address);
        let request = served.client.post(url).header("content-type", kind).bearer_auth(&keyed.revoked);
        let answer = tokio::spawn(request.body(body.clone()).send());
        until("a note is at the model", async || served.app.extractor.pipeline.admission().counts().in_flight == 1)
            .await;
        keyed.revoke().await;
        let text = tokio::time::timeout(Duration::from_mins(1), async { answer.await.unwrap().unwrap().text().await });
        let text = text.await.unwrap().unwrap();
        assert_eq!(text.matches("\"code\":\"unauthorized\"").count(), expected, "{path} {kind}: {text}");
        // The slot at the model server is free again.
        until("nothing is at the model", async || served.app.extractor.pipeline.admission().counts().in_flight == 0)
            .await;
    }
}
