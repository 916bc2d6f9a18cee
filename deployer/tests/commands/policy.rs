//! `policy`: it prints JSON on standard output, and what to do with it on standard error.

use serde_json::Value;

use crate::laptop::{Laptop, WRITTEN_OUT};

#[test]
fn one_policy_document() {
    let ended = Laptop::new(WRITTEN_OUT).run(&["policy", "operator"], None, "");
    insta::assert_snapshot!("policy_operator", ended.shown());
}

#[test]
fn all_policies_need_no_network_and_no_credentials() {
    let ended = Laptop::new(WRITTEN_OUT).run(&["policy"], None, "");
    let all: Value = serde_json::from_str(&ended.stdout).unwrap();
    for role in ["operator", "init", "instance"] {
        assert_eq!(all[role]["Version"], "2012-10-17");
    }
    assert_eq!(ended.code, 0);
}

#[test]
fn unknown_values_are_listed_as_placeholders() {
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/deployment.toml")).unwrap();
    let ended = Laptop::new(&shipped).run(&["policy", "operator"], None, "");
    insta::assert_snapshot!("policy_placeholders", ended.stderr);
}
