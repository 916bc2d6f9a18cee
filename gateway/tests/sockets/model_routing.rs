//! Several models behind the public name: which one reads a note, and how the operator moves the notes to another.

use std::{collections::BTreeSet, sync::atomic::Ordering::SeqCst};

use gateway::{config::Settings, readiness::Reason};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::{
    model_server::{Answer, NOTE, Server, base},
    process::Program,
    served::{Served, code, pair, until, with_model},
};

pub(crate) const OLD: &str = "medical-ie@0123abcd";
pub(crate) const NEW: &str = "medical-ie@89ef4567";

fn adapter(name: &str) -> Value {
    json!({"id": name, "root": format!("/adapters/{name}"), "parent": "base", "max_model_len": null})
}

/// Returns a server with two adapters.
pub(crate) fn two_models() -> Server {
    Server::with_models(json!([base(8_192), adapter(OLD), adapter(NEW)]))
}

/// Returns the settings of a gateway in which the models have these weights.
pub(crate) fn routed(address: std::net::SocketAddr, models: &[(&str, u8)]) -> Settings {
    let mut settings = with_model(&[address]);
    settings.vllm.models = vec![OLD.to_owned(), NEW.to_owned()];
    settings.routing.models = models.iter().map(|(name, weight)| format!("{name}={weight}").parse().unwrap()).collect();
    settings
}

async fn json_of(request: RequestBuilder) -> Value {
    request.send().await.unwrap().json().await.unwrap()
}

async fn model_of(request: RequestBuilder) -> String {
    let answer = json_of(request).await;
    answer["model"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn note(number: usize) -> String {
    format!("Note {number}. {NOTE}")
}

/// Returns the models that the server was asked for.
fn asked(upstream: &Server) -> BTreeSet<String> {
    upstream.completions().iter().map(|body| body["model"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_meets_one_model_over_routes_retries_and_restarts() {
    let upstream = two_models();
    let settings = routed(upstream.clone().start().await, &[(OLD, 50), (NEW, 50)]);
    let served = Served::ready(settings.clone()).await;
    let mut models = Vec::new();
    for number in 0..24 {
        let model = model_of(served.extract(&note(number))).await;
        assert_eq!(upstream.completions().last().unwrap()["model"], model.as_str());
        models.push(model);
    }
    assert_eq!(models.iter().collect::<BTreeSet<_>>().len(), 2, "{models:?}");
    let restarted = Served::ready(settings).await;
    let notes: Vec<Value> = (0..24).map(|number| json!({"text": note(number)})).collect();
    let url = format!("http://{}/api/v1/extract/batch", restarted.address);
    let batch = json_of(restarted.client.post(url).json(&json!({"notes": notes}))).await;
    let in_batch: Vec<&str> =
        batch["results"].as_array().unwrap().iter().map(|result| result["result"]["model"].as_str().unwrap()).collect();
    assert_eq!(in_batch, models);
    // A session has one model, whatever its notes; other sessions have the other one.
    let mut of_sessions = BTreeSet::new();
    for session in 0..12 {
        let mut of_session = BTreeSet::new();
        for number in 0..4 {
            let request =
                served.extract(&note(number)).header("x-session-id", format!("session {session}").replace(' ', "-"));
            of_session.insert(model_of(request).await);
        }
        assert_eq!(of_session.len(), 1);
        of_sessions.append(&mut of_session);
    }
    assert_eq!(of_sessions.len(), 2);
    for session in ["", "a b", &"x".repeat(129)] {
        let request = served.extract(NOTE).header("x-session-id", session);
        assert_eq!(code(request).await, pair(422, "invalid_request"), "{session:?}");
    }
    assert!(served.get("/health").header("x-session-id", "a b").send().await.unwrap().status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_chunks_of_a_note_meet_one_model() {
    let upstream = two_models();
    let served = Served::ready(routed(upstream.clone().start().await, &[(OLD, 50), (NEW, 50)])).await;
    let mut models = BTreeSet::new();
    for number in 0..16 {
        upstream.posts.lock().unwrap().clear();
        let text = format!("Note {number}. {}", "Seen in clinic with stage IV lung cancer. ".repeat(400));
        let answer = json_of(served.extract(&text)).await;
        assert!(answer["chunks"].as_u64().unwrap() > 2, "{answer}");
        assert_eq!(asked(&upstream).len(), 1);
        models.append(&mut asked(&upstream));
    }
    assert_eq!(models.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_names_reach_the_server() {
    let upstream = two_models();
    let served = Served::ready(routed(upstream.clone().start().await, &[(OLD, 100)])).await;
    let with = |model: &str| served.extract(NOTE).json(&json!({"text": NOTE, "model": model}));
    for (model, answers) in [("medical-ie", OLD), (OLD, OLD), (NEW, NEW)] {
        assert_eq!(model_of(with(model)).await, answers, "{model}");
    }
    let before = upstream.posts.lock().unwrap().len();
    for model in ["../x", "base", "medical-ie@ffffffff", "medical-ie@", "", "MEDICAL-IE"] {
        assert_eq!(code(with(model)).await, pair(422, "invalid_request"), "{model}");
    }
    assert_eq!(upstream.posts.lock().unwrap().len(), before);
    let listed: Value = served.get("/api/v1/models").send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["default"], "medical-ie");
    assert_eq!(listed["models"], json!(["medical-ie", OLD, NEW]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_one_of_the_models_gets_no_note() {
    let upstream = Server::with_models(json!([base(8_192), adapter(OLD)]));
    let served = Served::start(routed(upstream.clone().start().await, &[(OLD, 90), (NEW, 10)])).await;
    let missing = async || served.app.state.readiness.reason() == Some(Reason::ModelMissing);
    until("the gateway misses a model", missing).await;
    for number in 0..20 {
        let answer = served.code(&note(number)).await;
        // The notes of the model that the server lists are read; no other model answers for the missing one.
        assert!(answer == pair(200, "ok") || answer == pair(502, "upstream_rejected"), "{answer:?}");
    }
    assert_eq!(asked(&upstream), BTreeSet::from([OLD.to_owned()]));
    upstream.change("/v1/models", Answer::Json(200, json!({"data": [base(8_192), adapter(OLD), adapter(NEW)]})));
    until("both models are there", async || served.app.state.readiness.reason().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_answer_is_one_of_the_same_model() {
    let upstream = two_models();
    let mut settings = routed(upstream.clone().start().await, &[(OLD, 50), (NEW, 50)]);
    settings.cache.entries = 16;
    let served = Served::ready(settings).await;
    let of_session = |session: usize| served.extract(NOTE).header("x-session-id", session.to_string());
    let mut answered = BTreeSet::new();
    for session in 0..12 {
        let response = of_session(session).send().await.unwrap();
        let cache = response.headers()["x-cache"].to_str().unwrap().to_owned();
        let answer: Value = response.json().await.unwrap();
        let model = answer["model"].as_str().unwrap().to_owned();
        assert_eq!(cache, if answered.contains(&model) { "hit" } else { "miss" });
        answered.insert(model);
    }
    assert_eq!((answered.len(), upstream.completions().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_name_moves_to_another_model_and_back_without_a_failed_note() {
    let upstream = two_models();
    let settings = routed(upstream.clone().start().await, &[(OLD, 100)]);
    let served = Served::ready(settings.clone()).await;
    let to = |model: &str| routed("127.0.0.1:1".parse().unwrap(), &[(model, 100)]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let callers = (0..4).map(|caller| {
        let (served, stop) = (&served, &stop);
        async move {
            let mut models = BTreeSet::new();
            while !stop.load(SeqCst) {
                models.insert(model_of(served.extract(&note(caller))).await);
            }
            models
        }
    });
    let operator = async {
        for (model, summary) in [(NEW, "medical-ie@89ef4567=100"), (OLD, "medical-ie@0123abcd=100")] {
            let posts = upstream.posts.lock().unwrap().len();
            assert_eq!(served.model_switch.apply(&to(model)).unwrap().as_deref(), Some(summary));
            let shares = served.shares().await;
            assert_eq!((shares[model], shares.values().sum::<u64>()), (100, 100), "{shares:?}");
            until("notes are read", async || upstream.posts.lock().unwrap().len() > posts + 40).await;
        }
        stop.store(true, SeqCst);
    };
    let (models, ()) = tokio::join!(futures_util::future::join_all(callers), operator);
    assert!(models.iter().all(|models| models.len() == 2), "{models:?}");
    // A model that the server does not list, and one that is not known since the start.
    upstream.change("/v1/models", Answer::Json(200, json!({"data": [base(8_192), adapter(OLD)]})));
    let looks = upstream.looks.load(SeqCst);
    until("the list was read", async || upstream.looks.load(SeqCst) > looks + 1).await;
    let refused = served.model_switch.apply(&to(NEW)).unwrap_err().to_string();
    assert!(refused.contains("a model server does not list medical-ie@89ef4567"), "{refused}");
    let refused = served.model_switch.apply(&to("medical-ie@ffffffff")).unwrap_err().to_string();
    assert!(refused.contains("was not among vllm.models and routing.models"), "{refused}");
    assert_eq!(model_of(served.extract(NOTE)).await, OLD);
    assert!(
        (served.metric("gateway_model_notes_total").await - served.metric("gateway_notes_total").await).abs() < 0.5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_moves_the_public_name() {
    let upstream = two_models();
    let address = upstream.clone().start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let write = |models: &str| {
        let known = format!("models = [\"{OLD}\", \"{NEW}\"]");
        std::fs::write(&file, format!("[vllm]\n{known}\n[routing]\nmodels = [{models}]\n")).unwrap();
    };
    write(&format!("\"{OLD}=100\""));
    let url = format!("http://{address}");
    let mut program = Program::start(
        env!("CARGO_BIN_EXE_gateway"),
        &["serve", "--config", file.to_str().unwrap(), "--vllm-url", &url],
    );
    let log = std::io::BufRead::lines(program.log.take().unwrap());
    let (lines, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || log.map_while(Result::ok).try_for_each(|line| lines.send(line)));
    let logged = |text: &str| {
        let line = std::iter::from_fn(|| heard.recv_timeout(std::time::Duration::from_mins(1)).ok());
        line.into_iter().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no line with {text}"))
    };
    // The model server may be ready before the program listens.
    if !program.first_lines.iter().any(|line| line.contains("\"Ready\"")) {
        logged("\"Ready\"");
    }
    let answers = |model: &str| {
        assert_eq!(program.codes(), pair(200, "ok"));
        assert_eq!(upstream.completions().last().unwrap()["model"], model);
        let line = logged("\"route\":\"/api/v1/extract\"");
        assert!(line.contains(&format!("\"model\":\"{model}\"")), "{line}");
    };
    answers(OLD);
    write(&format!("\"{NEW}=100\""));
    program.signal("HUP");
    assert!(logged("other models answer").contains("medical-ie@89ef4567=100"));
    answers(NEW);
    // Weights that do not sum leave the models as they are.
    write(&format!("\"{OLD}=60\""));
    program.signal("HUP");
    assert!(logged("stay as they are").contains("the weights sum to 60"));
    answers(NEW);
    write(&format!("\"{OLD}=100\""));
    program.signal("HUP");
    logged("other models answer");
    answers(OLD);
}
