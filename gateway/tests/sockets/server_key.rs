//! SIGHUP reloads the model server's key, as it reloads the API keys.

use serde_json::json;

use crate::{
    model_server::{Answer, Server, adapter, base},
    process::{Program, wait_for},
    served::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads_the_key_and_keeps_the_old_one_if_the_file_is_invalid() {
    let (upstream, folder) = (Server::with_models(json!([base(8_192), adapter()])), tempfile::tempdir().unwrap());
    let require = |value| *upstream.authorization.lock().unwrap() = Some(value);
    require("Bearer made-up-first-key");
    let url = format!("http://{}", upstream.clone().start().await);
    let file = folder.path().join("key");
    std::fs::write(&file, "made-up-first-key\n").unwrap();
    let binary = env!("CARGO_BIN_EXE_gateway");
    let script = format!("GATEWAY_VLLM__API_KEY_FILE='{}' exec '{binary}' serve --vllm-url {url}", file.display());
    let mut program = Program::start("sh", &["-c", &script]);
    let mut log = program.log.take().unwrap();
    let answers = async |program: &Program| program.codes();
    until("the first key is accepted", async || answers(&program).await == (200, "ok".to_owned())).await;

    for broken in ["made-up two keys\n", ""] {
        std::fs::write(&file, broken).unwrap();
        program.signal("HUP");
        let line = wait_for(&mut log, "the model server's key is not read again; the old one stays in use");
        let line = line.to_string();
        assert!(line.contains("vllm.api_key_file") && !line.contains("made-up"), "{line}");
        assert_eq!(program.codes(), (200, "ok".to_owned()), "the old key is still in use");
    }
    require("Bearer made-up-second-key");
    assert_ne!(program.codes().0, 200, "the old key is refused");
    std::fs::write(&file, "made-up-second-key\n").unwrap();
    program.signal("HUP");
    wait_for(&mut log, "the model server's key is read again");
    // Health checks send the new key too: otherwise the server would never become ready again.
    until("the second key is accepted", async || answers(&program).await == (200, "ok".to_owned())).await;
}

/// A recording of one second in wav.
fn recording() -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\x00\x7d\0\0\x02\0\x10\0data".to_vec();
    bytes.extend(32_000_u32.to_le_bytes());
    bytes.resize(bytes.len() + 32_000, 0);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reloads_the_keys_for_questions_and_recordings_too() {
    let upstream = Server::default().set("/v1/audio/transcriptions", Answer::Json(500, json!({})));
    let (url, folder) = (format!("http://{}", upstream.clone().start().await), tempfile::tempdir().unwrap());
    let files = ["ask", "transcribe"].map(|name| folder.path().join(name));
    let write = |number: &str| {
        for file in &files {
            let name = file.file_name().unwrap().to_str().unwrap();
            std::fs::write(file, format!("made-up-{name}-{number}\n")).unwrap();
        }
    };
    write("first");
    let script = format!(
        "GATEWAY_ASK__URL={url} GATEWAY_ASK__MODEL=instruct GATEWAY_ASK__API_KEY_FILE='{}' GATEWAY_TRANSCRIBE__URL={url} \
         GATEWAY_TRANSCRIBE__API_KEY_FILE='{}' exec '{}' serve --engine rules",
        files[0].display(),
        files[1].display(),
        env!("CARGO_BIN_EXE_gateway")
    );
    let mut program = Program::start("sh", &["-c", &script]);
    let mut log = program.log.take().unwrap();
    let (client, base) = (reqwest::Client::new(), format!("http://{}/api/v1", program.address));
    let sent = async || {
        upstream.posts.lock().unwrap().clear();
        let question = json!({"text": "Stage IV lung cancer.", "question": "Does she smoke?"});
        client.post(format!("{base}/ask")).json(&question).send().await.unwrap();
        let audio = client.post(format!("{base}/transcribe")).header("content-type", "audio/wav").body(recording());
        audio.send().await.unwrap();
        let posts = upstream.posts.lock().unwrap();
        posts.iter().map(|(_, headers, _)| headers["authorization"].to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sent().await, ["Bearer made-up-ask-first", "Bearer made-up-transcribe-first"]);
    std::fs::write(&files[1], "").unwrap();
    program.signal("HUP");
    let line = wait_for(&mut log, "the model server's key is not read again; the old one stays in use").to_string();
    assert!(line.contains("transcribe.api_key_file") && !line.contains("made-up"), "{line}");
    assert_eq!(sent().await, ["Bearer made-up-ask-first", "Bearer made-up-transcribe-first"]);
    write("second");
    program.signal("HUP");
    for setting in ["ask.api_key_file", "transcribe.api_key_file"] {
        let line = wait_for(&mut log, "the model server's key is read again").to_string();
        assert!(line.contains(setting), "{line}");
    }
    assert_eq!(sent().await, ["Bearer made-up-ask-second", "Bearer made-up-transcribe-second"]);
}
