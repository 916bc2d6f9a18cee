//! `policy` as it is printed: JSON on standard output, what to do with it on the other.

use serde_json::Value;

use crate::laptop::{Laptop, WRITTEN_OUT};

#[test]
fn one_document_for_iam() {
    let ended = Laptop::new(WRITTEN_OUT).run(&["policy", "operator"], None, "");
    insta::assert_snapshot!("policy_operator", ended.shown());
}

#[test]
fn all_three_need_no_network_and_no_credentials() {
    let ended = Laptop::new(WRITTEN_OUT).run(&["policy"], None, "");
    let all: Value = serde_json::from_str(&ended.stdout).unwrap();
    for whose in ["operator", "init", "instance"] {
        assert_eq!(all[whose]["Version"], "2012-10-17");
    }
    assert_eq!(ended.code, 0);
}

#[test]
fn what_only_aws_knows_is_listed() {
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/deployment.toml")).unwrap();
    let ended = Laptop::new(&shipped).run(&["policy", "operator"], None, "");
    insta::assert_snapshot!("policy_placeholders", ended.stderr);
}
