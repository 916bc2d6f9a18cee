//! Several adapters on the real gateway: which of them answers changes without a restart, also to the rules
//! and back.

use crate::deployment::{Deployment, account, note};

const OLD: &str = "medical-ie@0123abcd";
const NEW: &str = "medical-ie@89ef4567";

fn adapters(revisions: &[&str]) -> String {
    let adapter = |revision: &&str| {
        let revision = revision.repeat(5);
        format!("[[model.adapters]]\nname = \"medical-ie\"\nrepo = \"owner/adapter\"\nrevision = \"{revision}\"\n")
    };
    revisions.iter().map(adapter).collect()
}

/// Returns what answered a note: the fields `engine` and `model`.
fn answered(deployment: &Deployment<'_>) -> (String, String) {
    let (status, body) = note(deployment.port, 0);
    let answer: serde_json::Value =
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {error}: {body}"));
    let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    (text("engine"), text("model"))
}

fn by_model(name: &str) -> (String, String) {
    ("vllm".to_owned(), name.to_owned())
}

#[test]
fn which_model_answers_moves_while_the_gateway_serves() {
    let emulator = account();
    let deployment = Deployment::new(&emulator);
    deployment.configure(&adapters(&["0123abcd", "89ef4567"]), "");
    deployment.up("gateway-1", "vllm-1").ended(0, &["Release 1 serves and was verified."]);
    let (gateway, model) = (deployment.container("gateway"), deployment.container("vllm"));
    assert_eq!(answered(&deployment), by_model(OLD));

    // A note that is being read keeps its model.
    let running = deployment.note_under_way(8);
    deployment.run(&["model", "use", NEW, "--yes"]).ended(0, &[&format!("Now answers: {NEW}")]);
    let (status, body) = running.join().unwrap();
    assert!(status == 200 && body.contains(OLD), "{status} {body}");
    assert_eq!(answered(&deployment), by_model(NEW));
    assert_eq!((deployment.container("gateway"), deployment.container("vllm")), (gateway, model.clone()));
    let list = deployment.run(&["model", "list", "--format", "json"]).json();
    assert_eq!((&list["models"][0]["served"], &list["models"][1]["percent"]), (&true.into(), &100.into()), "{list}");
    deployment
        .run(&["model", "use", "medical-ie@aaaa1111", "--yes"])
        .ended(1, &["is not served", "nothing was changed"]);

    // The rules: a new container, after its running note. A new release keeps them.
    let running = deployment.note_under_way(8);
    deployment.run(&["model", "rules", "--yes"]).ended(0, &["Now answers: the rules"]);
    let (status, body) = running.join().unwrap();
    assert!(status == 200 && body.contains(NEW), "{status} {body}");
    assert_eq!(answered(&deployment), ("rules".to_owned(), "rules".to_owned()));
    deployment.up("gateway-2", "vllm-1").ended(0, &["Release 2 serves"]);
    assert_eq!(answered(&deployment).0, "rules");
    deployment.run(&["model", "rollback", "--yes"]).ended(0, &[&format!("Now answers: {NEW}")]);
    assert_eq!(answered(&deployment), by_model(NEW));
    assert_eq!(deployment.container("vllm"), model, "the model was loaded again");

    // An adapter of another base model is found by the entry point at the download, while the old one serves.
    deployment.configure(&adapters(&["0123abcd", "89ef4567", "cccc2222"]), "");
    let unfit = ["An adapter of model.adapters does not fit", "was trained on other/base", "still serves"];
    deployment.up("gateway-2", "vllm-other-base").ended(1, &unfit);
    assert_eq!((answered(&deployment), deployment.container("vllm")), (by_model(NEW), model));
}
