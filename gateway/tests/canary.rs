//! Checks that no text of a note is in a log line at level trace, a metric, a header or an error body: on every route,
//! for every failure of the model server, over real sockets. The test is a separate process, because it sets the global
//! log.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic in a helper fails the test")]

#[path = "http/fake_ocr.rs"]
#[expect(dead_code, reason = "other tests use the rest of this shared file")]
mod fake_ocr;
#[path = "http/fake_vllm.rs"]
#[expect(dead_code, reason = "other tests use the rest of this shared file")]
mod fake_vllm;
#[path = "http/fake_whisper.rs"]
#[expect(dead_code, reason = "other tests use the rest of this shared file")]
mod fake_whisper;

use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use fake_ocr::OcrBehaviour;
use fake_vllm::{UpstreamBehaviour, start};
use fake_whisper::WhisperBehaviour;
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
async fn text_of_a_note_is_only_in_its_answer() {
    let log = Log::default();
    let filter = telemetry::discreet(EnvFilter::new("trace,hyper_util::client=trace"));
    let lines = tracing_subscriber::fmt::layer().json().with_writer(log.clone());
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    gateway::tls::install();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let error_body = json!({"error": {"message": CANARY, "type": "X", "code": 500}});
    let mut acts: Vec<UpstreamBehaviour> =
        [400, 401, 404, 422, 429, 500, 503].map(|status| UpstreamBehaviour::Status(status, error_body.clone())).into();
    acts.extend([
        UpstreamBehaviour::Html,
        UpstreamBehaviour::NoChoices,
        UpstreamBehaviour::CutOff,
        UpstreamBehaviour::Hang,
        UpstreamBehaviour::Text(format!("no {CANARY}")),
        UpstreamBehaviour::NoUsage,
    ]);
    acts.extend([
        UpstreamBehaviour::Reset,
        UpstreamBehaviour::BreakOff,
        UpstreamBehaviour::HalfJson,
        UpstreamBehaviour::WrongTypes,
        UpstreamBehaviour::ErrorEvent(error_body),
        UpstreamBehaviour::SlowBytes,
        UpstreamBehaviour::WithLogprobs,
        UpstreamBehaviour::BrokenStream(None),
        UpstreamBehaviour::UnfinishedStream,
        UpstreamBehaviour::BrokenStream(Some(json!({"error": {"message": CANARY}}))),
    ]);
    let mut secrets = vec![CANARY.to_owned()];
    for act in acts {
        secrets.extend(check_one_server(&client, act).await);
    }
    for hears in [
        WhisperBehaviour::Text("Stage four Xylocanaryphone on osimertinib."),
        WhisperBehaviour::Status(400, CANARY),
        WhisperBehaviour::Status(500, CANARY),
        WhisperBehaviour::Bytes("{\"text\": \"Xylocanaryphone"),
        WhisperBehaviour::Bytes("{\"Xylocanaryphone\": 1}"),
        WhisperBehaviour::Answer(json!({"text": CANARY, "duration": 0.5})),
        WhisperBehaviour::Hangs,
        WhisperBehaviour::BreaksOff,
    ] {
        secrets.extend(check_dictation(&client, hears).await);
    }
    for reads in [
        OcrBehaviour::Table(fake_ocr::table(&[("Plan; Xylocanaryphone", 50.0)])),
        OcrBehaviour::Table(CANARY.to_owned()),
        OcrBehaviour::Status(422, CANARY),
        OcrBehaviour::Status(500, CANARY),
        OcrBehaviour::Hangs,
        OcrBehaviour::BreaksOff,
    ] {
        secrets.push(check_scans(&client, reads).await);
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("\"TRACE\"") || log.contains("\"DEBUG\""), "the log must be at level trace or debug");
    for secret in secrets {
        let leak = log.lines().find(|line| line.contains(&secret));
        assert_eq!(leak, None, "{secret}");
    }
}

/// Sends recordings to a gateway whose transcription server answers as `hears` states. Returns the address of that
/// server and its key.
async fn check_dictation(client: &reqwest::Client, hears: WhisperBehaviour) -> [String; 2] {
    let fake = fake_whisper::start(hears).await;
    let folder = tempfile::tempdir().unwrap();
    let (audit, key) = (folder.path().join("audit.jsonl"), folder.path().join("key"));
    std::fs::write(&key, "made-up-upstream-key").unwrap();
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.transcribe.url = Some(format!("http://{}", fake.address));
    settings.transcribe.api_key_file = Some(key);
    settings.transcribe.timeout = Duration::from_secs(1);
    settings.listen = "127.0.0.1:0".parse().unwrap();
    settings.audit.path = Some(audit.clone());
    let bound = Gateway::new(settings).unwrap().bind().await.unwrap();
    let base = format!("http://{}", bound.address());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(async move { _ = stopped.await }, std::future::pending()));
    let (form_type, form_body) = fake_whisper::form(&fake_whisper::wav(10));
    // A file name, and bytes that are not a recording, are also texts of the caller.
    let named = String::from_utf8_lossy(&fake_whisper::form(CANARY.as_bytes()).1).replace("a.wav", CANARY);
    for (kind, body) in [(form_type, form_body), (form_type, named.into()), ("audio/wav", CANARY.into())] {
        let request = client.post(format!("{base}/api/v1/transcribe")).header("content-type", kind).body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), format!("{:?}", response.headers()));
        let text = response.text().await.unwrap();
        assert!(!headers.contains(CANARY) && (status == 200) == text.contains(CANARY), "{status} {text}");
    }
    let metrics = client.get(format!("{base}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains(CANARY));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let audit = std::fs::read_to_string(audit).unwrap();
    assert!(audit.lines().count() == 3 && !audit.contains(CANARY), "{audit}");
    [fake.address.to_string(), "made-up-upstream-key".to_owned()]
}

/// Sends scans to a gateway whose OCR server answers as `reads` states. Returns the address of that server.
async fn check_scans(client: &reqwest::Client, reads: OcrBehaviour) -> String {
    let fake = fake_ocr::start(reads).await;
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.scan.url = Some(format!("http://{}", fake.address));
    settings.scan.timeout = Duration::from_secs(1);
    settings.listen = "127.0.0.1:0".parse().unwrap();
    let bound = Gateway::new(settings).unwrap().bind().await.unwrap();
    let base = format!("http://{}", bound.address());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(async move { _ = stopped.await }, std::future::pending()));
    let cut = [b"%PDF-1.7 ", CANARY.as_bytes()].concat();
    for (kind, body) in [("image/png", fake_ocr::png(9)), ("application/pdf", cut), ("image/png", CANARY.into())] {
        let request = client.post(format!("{base}/api/v1/scan")).header("content-type", kind).body(body);
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), format!("{:?}", response.headers()));
        let text = response.text().await.unwrap();
        assert!(!headers.contains(CANARY) && (status == 200) == text.contains(CANARY), "{status} {text}");
    }
    let metrics = client.get(format!("{base}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(!metrics.contains(CANARY));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    fake.address.to_string()
}

/// Sends the same note in a stream and in batches. The client gets back the id of the note, and its text only in an
/// answer.
async fn stream_and_batches(client: &reqwest::Client, base: &str, note: &str, is_answered: bool) {
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
        if !is_answered {
            // The provisional fields of a stream and the ids of a batch may go back to the client.
            let others = text.lines().filter(|line| !line.contains("\"value\"")).collect::<String>();
            assert!(!others.replace(&format!("\"id\":\"{note}\""), "").contains(CANARY), "{path}: {text}");
        }
    }
}

/// Asks about the note, with the text in the question and in an earlier one too. The model never answers in the
/// requested form, so that no answer has the text.
async fn questions(client: &reqwest::Client, base: &str, note: &str) {
    let question = format!("Does {CANARY} smoke?");
    let history = json!([{"question": question, "answer": CANARY}]);
    for path in ["ask", "ask/stream"] {
        for body in [
            json!({"text": note, "question": question, "history": history}),
            json!({"text": note, "question": [question]}),
            json!({"text": note, "question": "Stage?", "history": [CANARY]}),
            json!({"text": note, "question": "Stage?", "offsets": CANARY}),
            json!({"text": note, "question": format!("I should {CANARY}")}),
        ] {
            let request = client.post(format!("{base}/api/v1/{path}")).header("content-type", "application/json");
            let answer = request.body(body.to_string()).send().await.unwrap();
            let headers = format!("{:?}", answer.headers());
            let text = answer.text().await.unwrap();
            assert!(!headers.contains(CANARY) && !text.contains(CANARY), "{path}: {text}");
        }
    }
}

/// Sends notes to a gateway with one model server, which fails as `act` states. Returns the key and the address of the
/// model server, which must not be in the log either.
async fn check_one_server(client: &reqwest::Client, act: UpstreamBehaviour) -> [String; 2] {
    let is_answered = matches!(act, UpstreamBehaviour::NoUsage | UpstreamBehaviour::WithLogprobs);
    let fake = start(vec![act]).await;
    let mut settings = Settings::load(&Flags::default()).unwrap();
    settings.vllm.url = Some(format!("http://{}", fake.address));
    settings.ask.url.clone_from(&settings.vllm.url);
    "instruct".clone_into(&mut settings.ask.model);
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
        // By contract an error names an unknown key that looks like an identifier to the client. The log never has it.
        let echoes = body.contains(&format!("\"{CANARY}\":"));
        let request = client.post(format!("{base}/api/v1/extract")).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
        let text = answer.text().await.unwrap();
        assert!(!headers.contains(CANARY), "{headers}");
        if status != 200 && !echoes {
            assert!(!text.contains(CANARY), "{text}");
        }
        assert!(is_answered || status != 200);
    }
    stream_and_batches(client, &base, &note, is_answered).await;
    questions(client, &base, &note).await;
    // The model server received the note.
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
