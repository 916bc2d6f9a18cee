//! Two adapters on one real vLLM: the tiny one, and a copy of it with noise. Each note is read by the adapter that its
//! answer names, and the public name moves from one to the other while notes are read.

#![expect(clippy::print_stdout, reason = "the figures of a run belong to what CI prints")]

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use gateway::{http::router, server::Gateway};
use serde_json::{Value, json};

use super::*;

const OLD: &str = "medical-ie@0123abcd";
const NEW: &str = "medical-ie@89ef4567";

/// Returns the folder of the model with its adapter: `TINY_MODEL_DIR`, or the random model that `install.sh` makes.
fn model_folder(home: &Path) -> PathBuf {
    std::env::var_os("TINY_MODEL_DIR").map_or_else(|| home.join("tiny"), PathBuf::from)
}

/// Runs a program and returns what it printed.
fn printed(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn routed(port: u16, models: &[(&str, u8)], shadow: Option<&str>) -> Settings {
    let mut settings = settings(port, &[1, 2]);
    settings.vllm.models = vec![OLD.to_owned(), NEW.to_owned()];
    settings.routing.models = models.iter().map(|(name, weight)| format!("{name}={weight}").parse().unwrap()).collect();
    (settings.routing.shadow, settings.routing.shadow_percent) = (shadow.map(str::to_owned), 100);
    // Sixteen notes at once on two cores that other programs use too.
    settings.admission.deadline = Duration::from_mins(10);
    settings
}

async fn ready(settings: Settings) -> (Gateway, Router) {
    let gateway = Gateway::new(settings).unwrap();
    wait_until_ready(&gateway).await;
    let router = router(gateway.app.clone(), Vec::new());
    (gateway, router)
}

/// A note in which the rules find nothing, so an empty record of it is accepted and the model is asked once.
fn note(number: usize) -> String {
    format!("Patient {number} was seen and feels well.")
}

async fn read(router: &Router, body: Value) -> Value {
    let (status, answer) = post(router, &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_record(&answer);
    answer
}

/// Reads all notes at once, and returns the model of each answer.
async fn models_of(router: &Router, notes: usize) -> Vec<String> {
    let answers = (0..notes).map(|number| read(router, json!({"text": note(number)})));
    let answers = futures_util::future::join_all(answers).await;
    answers.iter().map(|answer| answer["model"].as_str().unwrap().to_owned()).collect()
}

/// Returns the value of a counter of the gateway, summed over the series that contain `part`.
async fn counted(router: &Router, name: &str, part: &str) -> f64 {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let body = router.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(part));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Returns the number of requests that the server has answered, of its own models.
async fn answered_by_server(port: u16) -> f64 {
    let text = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| line.starts_with("vllm:request_success_total"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_adapters() {
    let _alone = ONE_AT_A_TIME.lock().await;
    gateway::tls::install();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vllm");
    let home = PathBuf::from(printed(&mut Command::new(tests.join("install.sh"))));
    let (model, noisy) = (model_folder(&home), tempfile::tempdir().unwrap());
    let mut make_noisy = Command::new(home.join("venv/bin/python"));
    printed(make_noisy.arg(tests.join("noisy_adapter.py")).arg(model.join("adapter")).arg(noisy.path()));
    let port = free_port();
    let adapters = format!("{OLD}={} {NEW}={}", model.join("adapter").display(), noisy.path().display());
    let server = start_vllm_with(port, &model.display().to_string(), &[("VLLM_ADAPTERS", &adapters)]);

    let (_gateway, halves) = ready(routed(port, &[(OLD, 50), (NEW, 50)], None)).await;
    let models = models_of(&halves, 16).await;
    let of_old = models.iter().filter(|model| *model == OLD).count();
    assert!((3..=13).contains(&of_old), "{models:?}");
    println!("two adapters: 16 notes at 50/50, {of_old} of them read by {OLD}");
    let (_restarted, again) = ready(routed(port, &[(NEW, 50), (OLD, 50)], None)).await;
    assert_eq!(models_of(&again, 16).await, models, "after a restart");
    each_note_is_read_by_the_adapter_that_its_answer_names(&again, port).await;
    only_listed_names_reach_the_server(&again, port).await;
    the_public_name_moves_and_returns(port).await;
    the_shadow_compares(port).await;
    drop(server);
}

async fn each_note_is_read_by_the_adapter_that_its_answer_names(router: &Router, port: u16) {
    let mut differing = 0;
    for number in 0..3 {
        let text = format!("Patient {number}: stage II colon cancer, treated with surgery.");
        let by_public_name = read(router, json!({"text": text})).await;
        let mut outputs = BTreeMap::new();
        for model in [OLD, NEW] {
            let answer = read(router, json!({"text": text, "model": model})).await;
            assert_eq!(answer["model"], model);
            outputs.insert(model, answer["raw_output"].clone());
        }
        let model = by_public_name["model"].as_str().unwrap();
        assert_eq!(by_public_name["raw_output"], outputs[model]);
        differing += usize::from(outputs[OLD] != outputs[NEW]);
    }
    // The records of a robust adapter and of its noisy copy may be equal. The server's own figures distinguish the two.
    let mut likelihoods = Vec::new();
    for model in [OLD, NEW] {
        let body = json!({"model": model, "prompt": "Stage II", "max_tokens": 4, "temperature": 0, "logprobs": 1});
        let completion = raw(port, "/v1/completions", &body).await;
        likelihoods.push(completion["choices"][0]["logprobs"]["token_logprobs"].clone());
    }
    assert!(likelihoods[0].is_array() && likelihoods[0] != likelihoods[1], "{likelihoods:?}");
    println!("two adapters: {differing} of 3 notes have another record from the noisy adapter");
}

async fn only_listed_names_reach_the_server(router: &Router, port: u16) {
    let before = answered_by_server(port).await;
    assert!(before > 0.0);
    for model in ["../x", "../tiny/adapter", "medical-ie@ffffffff", "meta-llama/Llama-3.1-8B"] {
        let (status, problem) = post(router, &json!({"text": "x", "model": model})).await;
        assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_request")));
    }
    assert_eq!(answered_by_server(port).await.to_bits(), before.to_bits());
}

async fn the_public_name_moves_and_returns(port: u16) {
    let (gateway, router) = ready(routed(port, &[(OLD, 100)], None)).await;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let callers = (0..4).map(|caller| {
        let (router, stop) = (&router, &stop);
        async move {
            let mut read_by = BTreeMap::<String, usize>::new();
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                let answer = read(router, json!({"text": note(caller)})).await;
                *read_by.entry(answer["model"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            read_by
        }
    });
    let operator = async {
        for model in [NEW, OLD] {
            let name = format!("{{model=\"{model}\"");
            let changed = gateway.model_switch.apply(&routed(port, &[(model, 100)], None));
            assert_eq!(changed.unwrap(), Some(format!("{model}=100")));
            let before = counted(&router, "gateway_model_notes_total", &name).await;
            while counted(&router, "gateway_model_notes_total", &name).await < before + 6.0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (read_by, ()) = tokio::join!(futures_util::future::join_all(callers), operator);
    let of = |model: &str| read_by.iter().filter_map(|models| models.get(model)).sum::<usize>();
    assert!(of(OLD) > 0 && of(NEW) > 0, "{read_by:?}");
    let failed = counted(&router, "gateway_model_notes_total", "outcome=\"failed\"").await;
    assert!(failed < 0.5, "{failed} notes failed");
    println!("two adapters: moved and back, {} notes by {OLD}, {} by {NEW}, 0 failed", of(OLD), of(NEW));
    let refused = gateway.model_switch.apply(&routed(port, &[("medical-ie@ffffffff", 100)], None)).unwrap_err();
    assert!(refused.to_string().contains("was not among"), "{refused}");
}

async fn the_shadow_compares(port: u16) {
    let (_plain, plain) = ready(routed(port, &[(OLD, 100)], None)).await;
    let (_shadowed, shadowed) = ready(routed(port, &[(OLD, 100)], Some(NEW))).await;
    let mut times = [Duration::ZERO; 2];
    for number in 0_u8..4 {
        let mut outputs = Vec::new();
        for (router, time) in [&plain, &shadowed].into_iter().zip(&mut times) {
            let started = Instant::now();
            let answer = read(router, json!({"text": note(usize::from(number))})).await;
            *time += started.elapsed();
            assert_eq!(answer["model"], OLD);
            outputs.push(answer["raw_output"].clone());
        }
        assert_eq!(outputs[0], outputs[1], "the shadow changes no answer");
        let started = Instant::now();
        while counted(&shadowed, "gateway_shadow_notes_total", "").await < f64::from(number + 1) {
            assert!(started.elapsed() < Duration::from_mins(5), "the shadow never read");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let compared = counted(&shadowed, "gateway_shadow_notes_total", "outcome=\"compared\"").await;
    let fields = counted(&shadowed, "gateway_shadow_fields_total", "").await;
    let agree = counted(&shadowed, "gateway_shadow_fields_total", "kind=\"agree\"").await;
    assert!(compared > 1.0 && (fields - 7.0 * compared).abs() < 0.5, "{compared} {fields}");
    println!(
        "two adapters: shadow compared {compared} of 4 notes, {agree} of {fields} fields agree; mean time {:.2} s \
         without and {:.2} s with it",
        times[0].as_secs_f64() / 4.0,
        times[1].as_secs_f64() / 4.0
    );
}
