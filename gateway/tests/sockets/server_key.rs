//! SIGHUP reloads the model server's key, as it reloads the API keys.

use serde_json::json;

use crate::{
    model_server::{Server, adapter, base},
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
        let line = wait_for(&mut log, "the model server's key is not read again; the old one still holds");
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
