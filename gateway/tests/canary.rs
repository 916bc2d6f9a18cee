//! No text of a note in any log line at level trace, any metric, header or error body: every route, every
//! failure of the model server, over real sockets. Its own process, because it owns the log.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of a test fail it")]

#[path = "http/fake_vllm.rs"]
#[expect(dead_code, reason = "shared with tests that use more of it")]
mod fake_vllm;

use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use fake_vllm::{Act, start};
use gateway::{
    access,
    config::{Flags, Settings},
    server::Gateway,
    telemetry,
};
use serde_json::json;
use tracing_subscriber::{EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

const CANARY: &str = "Xylocanaryphone";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_reaches_its_answer_and_nothing_else() {
    let log = Log::default();
    let filter = telemetry::discreet(EnvFilter::new("trace,hyper_util::client=trace"));
    let lines = tracing_subscriber::fmt::layer().json().with_writer(log.clone());
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    gateway::tls::install();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let object = json!({"error": {"message": CANARY, "type": "X", "code": 500}});
    let mut acts: Vec<Act> =
        [400, 401, 404, 422, 429, 500, 503].map(|status| Act::Status(status, object.clone())).into();
    acts.extend([Act::Html, Act::NoChoices, Act::CutOff, Act::Hang, Act::Say(format!("no {CANARY}")), Act::NoUsage]);
    acts.extend([
        Act::Reset,
        Act::BreakOff,
        Act::HalfJson,
        Act::WrongTypes,
        Act::ErrorEvent(object),
        Act::Drip,
        Act::WithLogprobs,
        Act::Spoilt(None),
        Act::Unended,
        Act::Spoilt(Some(json!({"error": {"message": CANARY}}))),
    ]);
    let mut secrets = vec![CANARY.to_owned()];
    for act in acts {
        secrets.extend(one_server(&client, act).await);
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("\"TRACE\"") || log.contains("\"DEBUG\""), "the log is really at trace");
    for secret in secrets {
        let leak = log.lines().find(|line| line.contains(&secret));
        assert_eq!(leak, None, "{secret}");
    }
}

/// The same note in a stream and in batches. Its id comes back to its sender; what it says only in an answer.
async fn many(client: &reqwest::Client, base: &str, note: &str, good: bool) {
    let bad = json!({"id": "a", "text": [note]});
    let all = json!([{"id": "b", "text": note}, bad, {"id": "b", "text": note}, {"id": note, "text": note}]);
    for (path, kind, body) in [
        ("stream", "application/json", json!({"text": note}).to_string()),
        ("stream", "application/json", bad.to_string()),
        ("batch", "application/json", json!({"notes": all}).to_string()),
        ("batch", "application/json", json!({"notes": note}).to_string()),
        ("batch", "application/x-ndjson", format!("{}\n{note}\n{}", all[0], all[1])),
    ] {
        let request = client.post(format!("{base}/api/v1/extract/{path}")).header("content-type", kind).body(body);
        let text = request.send().await.unwrap().text().await.unwrap();
        if !good {
            // The provisional fields of a stream and the ids of a batch are the sender's.
            let others = text.lines().filter(|line| !line.contains("\"value\"")).collect::<String>();
            assert!(!others.replace(&format!("\"id\":\"{note}\""), "").contains(CANARY), "{path}: {text}");
        }
    }
}

/// Everything that may go wrong with one model server. Gives what else must not be in the log: the key and
/// the server's address.
async fn one_server(client: &reqwest::Client, act: Act) -> [String; 2] {
    let good = matches!(act, Act::NoUsage | Act::WithLogprobs);
    let fake = start(vec![act]).await;
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.vllm.url = Some(format!("http://{}", fake.address));
    settings.admission.deadline = Duration::from_secs(1);
    settings.listen = "127.0.0.1:0".parse().unwrap();
    let (key, folder) = (access::new_key().unwrap(), tempfile::tempdir().unwrap());
    let (keys, audit) = (folder.path().join("keys"), folder.path().join("audit.jsonl"));
    std::fs::write(&keys, format!("page {} path", access::line_for("page", &key).unwrap().split_once(' ').unwrap().1))
        .unwrap();
    settings.auth_keys_file = Some(keys);
    settings.audit.path = Some(audit.clone());
    settings.cache.entries = 10;
    let bound = Gateway::new(settings).unwrap().bind().await.unwrap();
    let base = format!("http://{}/t/{key}", bound.address());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(async move { _ = stopped.await }, std::future::pending()));

    let note = format!("Stage IV lung cancer {CANARY} on osimertinib.");
    for body in [
        json!({"text": note}).to_string(),
        json!({"text": note, CANARY: 1}).to_string(),
        json!({"text": [note]}).to_string(),
        json!({"text": note, "model": CANARY}).to_string(),
        format!("{{\"text\": \"{note}"),
    ] {
        // A key that looks like an identifier is named back to its sender, by contract; never logged.
        let echoes = body.contains(&format!("\"{CANARY}\":"));
        let request = client.post(format!("{base}/api/v1/extract")).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
        let text = answer.text().await.unwrap();
        assert!(!headers.contains(CANARY), "{headers}");
        if status != 200 && !echoes {
            assert!(!text.contains(CANARY), "{text}");
        }
        assert!(good || status != 200);
    }
    many(client, &base, &note, good).await;
    // The note did go where it belongs.
    assert_eq!(fake.calls.load(SeqCst), fake.bodies.lock().await.len());
    assert!(fake.bodies.lock().await.iter().any(|body| body.to_string().contains(CANARY)));
    let paths = [
        "/health?verbose=1",
        "/health/vllm",
        "/metrics",
        "/api/v1/models",
        "/openapi.json",
        "/",
        "/health/ready",
        "/nope",
    ];
    for path in paths {
        let text = client.get(format!("{base}{path}")).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains(CANARY), "{path}");
    }
    let text = client.post(format!("{base}/api/v1/extract/{CANARY}")).send().await.unwrap().text().await.unwrap();
    assert!(!text.contains(CANARY));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let audit = std::fs::read_to_string(audit).unwrap();
    assert!(audit.lines().count() >= 5 && !audit.contains(CANARY) && !audit.contains(&key), "{audit}");
    [key, fake.address.to_string()]
}
