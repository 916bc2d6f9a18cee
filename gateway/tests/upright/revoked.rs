//! A key that is taken out of the key file ends what it has open.

use std::time::Duration;

use gateway::access;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::{
    fake_vllm::{Act, start},
    open_lines::OpenLines,
    served::{Served, until, with_model},
};

const NOTE: &str = "Stage IV lung adenocarcinoma.";

/// A gateway with two keys, and the file that they stand in.
struct Guarded {
    served: Served,
    file: NamedTempFile,
    leaves: String,
    stays: String,
}

impl Guarded {
    async fn start(mut settings: gateway::config::Settings) -> Self {
        let (leaves, stays) = ("l".repeat(32), "s".repeat(32));
        let file = NamedTempFile::new().unwrap();
        let lines = [("leaves", &leaves), ("stays", &stays)].map(|(name, key)| access::line_for(name, key).unwrap());
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        settings.auth_keys_file = Some(file.path().to_owned());
        Self { served: Served::ready(settings).await, file, leaves, stays }
    }

    /// What an operator does: takes the key out, and sends SIGHUP.
    async fn revoke(&self) {
        std::fs::write(self.file.path(), access::line_for("stays", &self.stays).unwrap()).unwrap();
        assert_eq!(self.served.app.keys.as_ref().unwrap().reload().await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_open_end_with_401_and_those_of_other_keys_go_on() {
    let guarded = Guarded::start(gateway::config::Settings::default()).await;
    let mut leaves = OpenLines::begin(guarded.served.address, &guarded.leaves).await;
    let mut stays = OpenLines::begin(guarded.served.address, &guarded.stays).await;
    for lines in [&mut leaves, &mut stays] {
        lines.send(&json!({"text": NOTE})).await;
        assert_eq!(lines.next().await["status"], 200);
    }
    guarded.revoke().await;
    let last = leaves.next().await;
    assert_eq!((&last["status"], &last["ends"], &last["index"]), (&json!(401), &json!(true), &json!(1)), "{last}");
    assert!(last["error"]["detail"].as_str().unwrap().contains("taken out of the key file"), "{last}");
    let rest = leaves.rest().await;
    assert!(!rest.contains("status"), "{rest}");
    stays.send(&json!({"text": NOTE})).await;
    assert_eq!(stays.next().await["status"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_ends_with_401() {
    let fake = start(vec![Act::Hang]).await;
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
        let guarded = Guarded::start(settings).await;
        let served = &guarded.served;
        let url = format!("http://{}/api/v1/extract{path}", served.address);
        let request = served.client.post(url).header("content-type", kind).bearer_auth(&guarded.leaves);
        let answer = tokio::spawn(request.body(body.clone()).send());
        until("a note is at the model", async || served.app.pipeline.admission().counts().in_flight == 1).await;
        guarded.revoke().await;
        let text = tokio::time::timeout(Duration::from_mins(1), async { answer.await.unwrap().unwrap().text().await });
        let text = text.await.unwrap().unwrap();
        assert_eq!(text.matches("\"code\":\"unauthorized\"").count(), expected, "{path} {kind}: {text}");
        // The place at the model is free again.
        until("nothing is at the model", async || served.app.pipeline.admission().counts().in_flight == 0).await;
    }
}
