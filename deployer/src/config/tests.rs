//! Configurations that are accepted, configurations that are refused, and the texts of the refusals.

use std::path::PathBuf;

use super::{ConfigFile, ConfigHash, File, ValueOrReference, parse, resolve};
use crate::cloud::{CloudError, CloudErrorKind};

/// The smallest valid configuration.
const MINIMAL: &str = r#"
region = "us-east-1"
[box]
instance_id = "ssm:/slm-ft-serving/ec2/instance-id"
[images]
registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
"#;

fn refused(text: &str, expected: &[&str]) {
    let failure = parse(text, "config/deployment.toml").unwrap_err();
    assert_eq!(failure.exit.code(), 2, "{text}");
    for word in expected {
        assert!(failure.what.contains(word), "`{}` lacks `{word}` for {text}", failure.what);
    }
}

#[test]
fn the_minimal_configuration_has_the_documented_defaults() {
    let file = parse(MINIMAL, "x").unwrap();
    assert_eq!(file.name, "extraction-gateway");
    assert_eq!(file.first_box.instance_id, ValueOrReference::Parameter("/slm-ft-serving/ec2/instance-id".to_owned()));
    assert_eq!(file.first_box.document, ValueOrReference::literal("AWS-RunShellScript"));
    assert_eq!((file.gateway.port, file.wait.drain_seconds, file.autostop.idle_minutes), (8080, 45, 30));
}

#[test]
fn the_shipped_file_is_accepted_and_its_comments_are_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/deployment.toml");
    let shipped = std::fs::read_to_string(path).unwrap();
    parse(&shipped, path).unwrap();
    // Uncomments every setting: the file must still parse, and each value must be the built-in default.
    let uncommented: String = shipped
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[') || rest.split(" = ").next().is_some_and(is_key) && rest.contains(" = ") =>
            {
                rest
            }
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .filter(|line| !line.starts_with("version = ") && !line.starts_with("adapter_revision = "))
        .collect();
    let uncommented = parse(&uncommented, "switched on").unwrap_or_else(|failure| panic!("{failure}\n{uncommented}"));
    assert_eq!(debug_text(&uncommented), debug_text(&parse(&shipped, path).unwrap()));
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn debug_text(file: &File) -> String {
    format!("{file:?}")
}

#[test]
fn refusals_name_the_key() {
    refused("", &["region"]);
    refused(&MINIMAL.replace("us-east-1\"\n[box]", "\"\n[box]"), &["region", "no default"]);
    refused(&format!("{MINIMAL}\n[gatewy]\nport = 1"), &["gatewy", "unknown field"]);
    refused(&format!("{MINIMAL}\n[gateway]\nprot = 1"), &["prot", "unknown field"]);
    refused(&format!("{MINIMAL}\n[gateway]\nport = 70000"), &["port", "70000"]);
    refused(&format!("{MINIMAL}\n[gateway]\nprofile = \"cpu\""), &["gateway.profile", "gpu or tls"]);
    refused(&format!("{MINIMAL}\n[gateway]\nprofile = \"tls\""), &["gateway.domain"]);
    refused(&format!("{MINIMAL}\n[gateway]\ncors_origins = [\"https://a.example/\"]"), &["gateway.cors_origins"]);
    refused(&format!("{MINIMAL}\n[wait]\ndelivery_seconds = 5"), &["delivery_seconds"]);
    for seconds in [9, 10_201] {
        refused(&format!("{MINIMAL}\n[wait]\ndeploy_seconds = {seconds}"), &["wait.deploy_seconds", "10200"]);
    }
    refused(&format!("{MINIMAL}\n[wait]\ndrain_seconds = 3601"), &["wait.drain_seconds"]);
    refused(&format!("{MINIMAL}\n[autostop]\nidle_minutes = 4"), &["autostop.idle_minutes", "between 5"]);
    refused(&format!("{MINIMAL}\n[model]\ngpu_memory_utilization = 1.5"), &["gpu_memory_utilization"]);
    refused(&MINIMAL.replace("ssm:/slm-ft-serving/ec2/instance-id", "my-box"), &["box.instance_id", "i-"]);
    refused(&MINIMAL.replace("ssm:/slm", "ssm:slm"), &["ssm:slm", "not a reference"]);
    refused(&MINIMAL.replace("us-east-1\"\n[box]", "Virginia\"\n[box]"), &["region"]);
    refused(&format!("hf_token = \"x\"\n{MINIMAL}"), &["hf_token", "unknown field"]);
}

#[test]
fn values_that_the_host_or_the_model_server_would_refuse_are_refused() {
    for (text, key) in [
        ("wait]\nload_seconds = 10000000", "wait.load_seconds"),
        ("gateway]\nbind = \"localhost\"", "gateway.bind"),
        ("gateway]\nport = 0", "gateway.port"),
        ("model]\nmax_model_len = 0", "model.max_model_len"),
        ("model]\nmax_num_seqs = 0", "model.max_num_seqs"),
        ("model]\nserved_name = \"a b\"", "model.served_name"),
        ("model]\ngib = 1000000", "model.gib"),
        ("images.vllm]\ngib = 1000000", "images.vllm.gib"),
        ("autostop]\nmax_uptime_hours = 10000000", "autostop.max_uptime_hours"),
    ] {
        refused(&format!("{MINIMAL}\n[{text}"), &[key]);
    }
}

#[test]
fn variables_that_the_deployer_sets_cannot_be_set_in_gateway_env() {
    let env = |name: &str| format!("{MINIMAL}\n[gateway.env]\n{name} = \"x\"");
    for name in super::names::GATEWAY_NAMES.into_iter().chain(["VLLM_ADAPTER_REVISION", "VLLM_MAX_NUM_SEQS"]) {
        refused(&env(name), &[&format!("gateway.env.{name}"), "its own setting"]);
    }
    for name in ["VLLM_IMAGE", "GATEWAY_IMAGE", "HF_TOKEN_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_FILE"] {
        refused(&env(name), &[name]);
    }
    assert_eq!(parse(&env("RUST_LOG"), "x").unwrap().gateway.env.len(), 1);
}

#[test]
fn limits_fit_the_stack_s_own_document() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/cloudformation.yaml"));
    let template = template.unwrap();
    let (_, timeout) = template.split_once("ExecutionTimeout:\n").unwrap();
    let pattern = timeout.lines().find(|line| line.contains("allowedPattern")).unwrap();
    assert!(pattern.contains("^[1-9][0-9]{1,4}$"), "config/check.rs must have limits that fit this pattern: {pattern}");
    for limit in ["wait]\ndeploy_seconds = 10", "wait]\ndeploy_seconds = 10200", "wait]\ndrain_seconds = 3600"] {
        parse(&format!("{MINIMAL}\n[{limit}"), "x").unwrap();
    }
}

#[test]
fn references_are_parsed() {
    for (text, expected) in [
        ("plain", Some(ValueOrReference::literal("plain"))),
        ("ssm:/a/b", Some(ValueOrReference::Parameter("/a/b".to_owned()))),
        ("ssm:", None),
        ("ssm:/", None),
        ("ssm:/a/", None),
        ("ssm:/a b", None),
    ] {
        assert_eq!(ValueOrReference::parse(text).ok(), expected, "{text}");
    }
}

#[test]
fn a_configuration_hash_is_read_as_it_is_written() {
    let hash = ConfigHash { compose: "00ff".to_owned(), vllm: "11".to_owned(), gateway: "22".to_owned() };
    assert_eq!(ConfigHash::parse(&hash.to_string()), Some(hash));
    for other in ["", "one", "c.00-v.11", "v.1-c.2-g.3"] {
        assert_eq!(ConfigHash::parse(other), None, "{other}");
    }
}

#[test]
fn an_image_with_its_version_alone_keeps_the_other_defaults() {
    let text =
        "region = \"us-east-1\"\n[box]\ninstance_id = \"i-0123456789abcdef0\"\n[images]\nregistry = \"r.example\"\n";
    let images = |more: &str| parse(&format!("{text}{more}"), "x").map(|file| file.images);
    let found = images("[images.gateway]\nversion = \"v1\"\n[images.vllm]\ngib = 30\n").unwrap();
    assert_eq!((found.gateway.repository.shown(), found.gateway.gib), ("extraction-gateway/gateway".to_owned(), 1));
    assert_eq!((found.vllm.repository.shown(), found.vllm.gib), ("extraction-gateway/vllm".to_owned(), 30));
    assert!(images("[images.gateway]\nverison = \"v1\"\n").unwrap_err().what.contains("verison"));
}

/// A missing or wrong parameter is a configuration error (exit code 2). A request that AWS does not answer is not (exit
/// code 1).
#[tokio::test]
async fn a_reference_that_aws_does_not_answer_is_not_a_configuration_error() {
    let refusal = |kind| CloudError { kind, operation: "GetParameter", code: "no".to_owned(), message: String::new() };
    for (answer, code) in [
        (Ok(Some("i-0123456789abcdef0".to_owned())), 0),
        (Ok(None), 2),
        (Ok(Some("rubbish".to_owned())), 2),
        (Err(refusal(CloudErrorKind::Credentials)), 1),
        (Err(refusal(CloudErrorKind::Network)), 1),
        (Err(refusal(CloudErrorKind::Denied)), 1),
    ] {
        let config_file = ConfigFile { file: parse(MINIMAL, "x").unwrap(), path: PathBuf::new() };
        let resolved = resolve(&config_file, &async |_: &str| answer.clone(), "ada@laptop".to_owned()).await;
        assert_eq!(resolved.map_or_else(|failure| failure.exit.code(), |_| 0), code, "{answer:?}");
    }
}
