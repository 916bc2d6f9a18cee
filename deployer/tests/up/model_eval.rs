//! `model use --eval` from end to end. Real: the built `deployer`, the built `gateway` as the service (with the
//! settings file that the deployer wrote to the host), and the built `gateway` as the program that sends the notes and
//! scores the answers. Stand-ins: AWS, the host's Docker, and the model server, which answers by the name of the model.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    http::{Answer, Asked, serve},
    laptop::{CommandOutput, signal},
    model::{NEW, OLD, ada, two},
    support::emulator::{Emulator, until},
};

const KEY: &str = "a-key-of-the-evaluation-0123456789";
/// Cancer, stage and drug of each note.
const NOTES: [(&str, &str, &str); 12] = [
    ("melanoma", "III", "nivolumab"),
    ("colon cancer", "II", "capecitabine"),
    ("ovarian cancer", "IV", "olaparib"),
    ("prostate cancer", "III", "abiraterone"),
    ("gastric cancer", "II", "ramucirumab"),
    ("bladder cancer", "IV", "enfortumab vedotin"),
    ("breast cancer", "III", "letrozole"),
    ("lung adenocarcinoma", "IV", "osimertinib"),
    ("renal cell carcinoma", "II", "sunitinib"),
    ("pancreatic cancer", "III", "gemcitabine"),
    ("cervical cancer", "II", "cisplatin"),
    ("glioblastoma", "IV", "temozolomide"),
];

/// Every how many notes the new model reads a treatment that the note does not have. The present one does so in every
/// fourth.
const WORSE: usize = 1;
const EQUAL: usize = 4;
const BETTER: usize = 99;

fn text((cancer, stage, drug): (&str, &str, &str)) -> String {
    format!("Stage {stage} {cancer}. The patient is treated with {drug}.")
}

/// The model server.
struct ModelServer {
    url: String,
    wrong_every: Arc<AtomicUsize>,
}

impl ModelServer {
    fn start() -> Self {
        let wrong_every = Arc::new(AtomicUsize::new(EQUAL));
        let wrong = Arc::clone(&wrong_every);
        let url = serve(move |asked| answer(asked, wrong.load(SeqCst)));
        Self { url, wrong_every }
    }
}

fn answer(asked: &Asked, wrong_every: usize) -> Answer {
    let whole = |body: &Value| Answer::new(200, "application/json", body.to_string());
    match asked.path.as_str() {
        "/v1/models" => {
            let models = [OLD, NEW].map(|name| json!({"id": name, "max_model_len": 8192}));
            whole(&json!({"data": models}))
        }
        "/tokenize" => whole(&json!({"count": 100, "max_model_len": 8192})),
        "/v1/chat/completions" => {
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            let wrong_every = if body["model"] == NEW { wrong_every } else { 4 };
            let said = record(&body["messages"].to_string(), wrong_every);
            if body["stream"] != true {
                let message = json!({"role": "assistant", "content": said});
                let choice = json!({"message": message, "finish_reason": "stop"});
                return whole(&json!({"choices": [choice], "usage": {"total_tokens": 100}}));
            }
            let events = [
                json!({"choices": [{"delta": {"content": said}}]}),
                json!({"choices": [{"delta": {}, "finish_reason": "stop"}]}),
                json!({"choices": [], "usage": {"total_tokens": 100}}),
            ];
            let events = events.map(|event| format!("data: {event}\n\n")).concat();
            Answer::new(200, "text/event-stream", events + "data: [DONE]\n\n")
        }
        _ => Answer::new(404, "text/plain", ""),
    }
}

/// A model's answer to the note in the prompt, in the form of its training.
fn record(prompt: &str, wrong_every: usize) -> String {
    let found = NOTES.iter().position(|note| prompt.contains(&text(*note))).unwrap_or_default();
    let (cancer, stage, drug) = NOTES[found];
    let drug = if (found + 1).is_multiple_of(wrong_every) { "carboplatin" } else { drug };
    format!(
        "{{\"cancer_type\": \"{cancer}\", \"stage\": \"{stage}\", \"gene_mutation\": null, \"biomarker\": null, \
         \"treatment\": \"{drug}\", \"response\": null, \"metastasis_site\": null}}"
    )
}

/// The built gateway as a service. Dropping it kills the process.
struct Service {
    process: Child,
    url: String,
    log: Arc<Mutex<String>>,
}

impl Service {
    /// Starts it with a settings file and a key file of the host.
    fn start(program: &Path, settings: &Path, keys: &Path, model_server: &str) -> Self {
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(settings).env_clear();
        command.env("VLLM_BASE_URL", model_server).env("GATEWAY_ENGINE", "vllm").env("GATEWAY_AUTH_KEYS_FILE", keys);
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, written) = (BufReader::new(process.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut written = written.lock().unwrap();
                written.push_str(&line);
                written.push('\n');
            }
        });
        let mut service = Self { process, url: String::new(), log };
        until("the gateway listens", || {
            let log = service.log.lock().unwrap().clone();
            assert!(service.process.try_wait().unwrap().is_none(), "the gateway ended: {log}");
            let line = log.lines().find(|line| line.contains("listening")).unwrap_or_default();
            let port = line.split_once("127.0.0.1:").map_or("", |(_, rest)| rest);
            let port: String = port.chars().take_while(char::is_ascii_digit).collect();
            service.url = format!("http://127.0.0.1:{port}");
            !port.is_empty()
        });
        until("the gateway is ready", || service.ask("GET", "/health/ready", "").starts_with("HTTP/1.1 200"));
        service
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Returns which model answers for the public name.
    fn answering(&self) -> String {
        let answer = self.ask("POST", "/api/v1/extract", &json!({"text": text(NOTES[1])}).to_string());
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        body["model"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn built_gateway() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_deployer")).with_file_name("gateway");
    assert!(program.exists(), "{} is not built: cargo build --workspace", program.display());
    program
}

#[test]
fn a_worse_model_is_refused_by_its_scores_and_an_equal_or_better_one_answers() {
    let emulator = two();
    let ada = ada(&emulator);
    let (program, model_server) = (built_gateway(), ModelServer::start());
    let digest = hex::encode(Sha256::digest(KEY));
    ada.write("key", &format!("{KEY}\n"));
    ada.write("service-keys", &format!("ada {digest}\n"));
    let gold = NOTES.iter().enumerate().map(|(index, note)| {
        let expected = json!({"cancer_type": note.0, "stage": note.1, "treatment": note.2});
        format!("{}\n", json!({"id": index.to_string(), "text": text(*note), "expected": expected}))
    });
    ada.write("gold.jsonl", &gold.collect::<String>());
    let settings = emulator.host.at("root/releases/1/config/gateway.toml");
    let service = Service::start(&program, &settings, &ada.path().join("service-keys"), &model_server.url);
    assert_eq!(service.answering(), OLD);

    let evaluate = |more: &[&str]| -> CommandOutput {
        let program = program.display().to_string();
        let use_new = ["model", "use", NEW, "--eval", "gold.jsonl", "--api-key-file", "key", "--gateway", &program];
        ada.run(&[&use_new[..], &["--yes", "--url"], more].concat())
    };
    // Nothing is sent where others could read it.
    evaluate(&["http://203.0.113.7:8080"]).ended(2, &["is plain HTTP", "nothing was sent", "--plain-http"]);

    model_server.wrong_every.store(WORSE, SeqCst);
    let refused = evaluate(&[&service.url]);
    refused.ended(
        1,
        &[
            &format!("{NEW} reads your notes worse than {OLD}: F1 {NEW} 0.6667, {OLD} 0.9167; difference -0.2500, 95 % interval -0.3333 to -0.1667"),
            "12 notes; nothing was changed",
        ],
    );
    // CI shows it.
    if let Ok(file) = std::env::var("EXTRACTION_GATEWAY_REFUSAL") {
        fs::write(file, &refused.err).unwrap();
    }
    assert!(emulator.host.root("models.jsonl").is_empty() && routed(&emulator).contains(OLD));
    let document = evaluate(&[&service.url, "--format", "json"]).json();
    assert_eq!((&document["outcome"], &document["scores"]["notes"]), (&"refused".into(), &12.into()), "{document}");
    assert!(document["scores"]["interval_95"][1].as_f64().unwrap() < 0.0, "{document}");

    model_server.wrong_every.store(EQUAL, SeqCst);
    evaluate(&[&service.url]).ended(
        0,
        &[
            &format!("F1 {NEW} 0.9167, {OLD} 0.9167; difference 0.0000, 95 % interval 0.0000 to 0.0000, 12 notes"),
            &format!("Now answers: {NEW}"),
        ],
    );
    ada.run(&["model", "rollback", "--yes"]).ended(0, &["Now answers"]);

    model_server.wrong_every.store(BETTER, SeqCst);
    evaluate(&[&service.url])
        .ended(0, &[&format!("F1 {NEW} 1.0000, {OLD} 0.9167; difference 0.0833"), &format!("Now answers: {NEW}")]);
    assert!(routed(&emulator).contains(NEW) && emulator.host.root("models.jsonl").contains("=1.0000"));
    // The host's own signal goes to a stand-in. The real gateway reads the line that the host has written.
    signal(&service.process, "HUP");
    until("the gateway has read it", || {
        service.log.lock().unwrap().contains("other models answer for the public name")
    });
    assert_eq!(service.answering(), NEW);
    // No note and no key is in a log or on a command line of the host.
    let log = service.log.lock().unwrap().clone();
    let everything = emulator.everything();
    for (cancer, _, drug) in NOTES {
        assert!(!log.contains(drug) && !everything.contains(drug) && !log.contains(cancer), "{drug}: {log}");
    }
    assert!(!log.contains(KEY) && !everything.contains(KEY));
    assert!(fs::read_dir(std::env::temp_dir()).unwrap().flatten().all(|entry| {
        let gold = entry.path().join("gold.jsonl");
        !entry.file_name().to_string_lossy().starts_with("deployer-eval-")
            || !fs::read_to_string(gold).unwrap_or_default().contains(NOTES[5].2)
    }));
}

/// The line of the host's settings file with the models that answer.
fn routed(emulator: &Emulator) -> String {
    let settings = emulator.host.root("releases/1/config/gateway.toml");
    settings.lines().find(|line| line.ends_with("# deployer model use")).unwrap_or_default().to_owned()
}
