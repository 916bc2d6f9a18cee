//! The first day, as deployer/docs/setup.md describes it: from an empty box to a release, its address and its price,
//! and back to a stopped box.

use std::fs;

use serde_json::json;

use crate::{
    Emulator, account,
    laptop::{ADAPTER_REVISION, Laptop},
    lock,
    support::{
        host::SECRET,
        wanted::{gateway, vllm},
    },
};

const TOKEN: &str = "hf_ofThisTestAlone0123456789";

#[test]
fn from_init_to_a_release_an_address_a_price_and_a_stopped_box() {
    let emulator = Emulator::start();
    emulator.host.push(&[&gateway(1), &vllm(1)]);
    let ada = Laptop::new(&emulator, "ada@laptop");
    let keys = ada.path().join("config/keys.txt");
    fs::remove_file(&keys).unwrap();
    ada.run(&["up", "--tag", "x", "--yes"]).ended(2, &["keys.txt cannot be read", "deployer init"]);
    let path = ada.path().join("config/deployment.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(path, config.replace(ADAPTER_REVISION, "")).unwrap();
    ada.run(&["plan", "--tag", "x"]).ended(2, &["model.adapter_revision is not a full commit of", "deployer init"]);

    let init = ada.run_with(&["init", "--adapter-revision", ADAPTER_REVISION], TOKEN);
    init.ended(0, &["set model.adapter_revision", "hf-token: created", "the digest of a first key, for vercel"]);
    assert!(init.out.starts_with("BACKEND_API_URL=http://ADDRESS:8080/t/"), "{init}");
    assert!(!init.to_string().contains(TOKEN));
    let stored = emulator.aws("secretsmanager", "get_secret_value", &json!({"SecretId": SECRET}));
    assert_eq!(stored["SecretString"], TOKEN);
    assert!(fs::read_to_string(&keys).unwrap().starts_with("vercel "));
    let again = ada.run(&["init"]);
    again
        .ended(0, &["configuration  config/deployment.toml: unchanged", "hf-token: exists", "has some, none was made"]);

    ada.run(&["url"]).ended(1, &["the box is stopped and has no public address"]);
    ada.up(1, 1).ended(0, &["Release 1 serves and was verified."]);
    let url = ada.run(&["url"]);
    url.ended(0, &["No earlier address is recorded", "redeploy"]);
    assert_eq!(url.out, "BACKEND_API_URL=http://203.0.113.10:8080\n");
    ada.run(&["url"]).ended(0, &["the same as last time"]);
    let cost = ada.run(&["cost", "--format", "json"]).ended(0, &[]).json();
    assert_eq!((cost["state"].as_str(), cost["so_far"]["usd"].is_number()), (Some("running"), true));

    ada.run(&["down", "--yes"]).ended(0, &["The box is stopped."]);
    let cost = ada.run(&["cost"]);
    cost.ended(0, &["deployer up starts it"]);
    assert!(cost.out.contains("nothing: it is stopped"), "{cost}");
    assert_eq!(lock(&emulator), None);
}

#[test]
fn what_the_host_would_refuse_starts_no_box() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let config = fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap();
    emulator.aws("ssm", "put_parameter", &serde_json::json!({"Name": "/odd", "Type": "String", "Value": "-x y"}));
    for (more, said) in [
        ("[secret]\nid = \"-x y\"\n", "secret.id must be"),
        ("[secret]\nid = \"ssm:/odd\"\n", "secret.id must be"),
        ("[gateway]\nbind = \"localhost\"\n", "gateway.bind must be"),
    ] {
        ada.write("config/deployment.toml", &format!("{config}\n{more}"));
        ada.up(1, 1).ended(2, &[said]);
    }
    let base = config.replace("[model]\n", "[model]\nbase = \"a b\"\n");
    ada.write("config/deployment.toml", &base);
    ada.up(1, 1).ended(2, &["model.base must be"]);
    assert!(!emulator.calls().contains(&"StartInstances".to_owned()), "started for nothing");
}
