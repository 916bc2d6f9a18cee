//! The policies beside what they must agree with: the template that makes the box, and the calls that are made.

use std::{collections::BTreeSet, fs, path::Path};

use super::{Policy, init, instance, operator, operator_with_port_forward};
use crate::config::{File, parse};

const WRITTEN_OUT: &str = r#"
name = "clinic"
region = "eu-west-1"
[box]
instance_id = "i-0123456789abcdef0"
document = "clinic-run"
[images]
registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
[images.gateway]
repository = "clinic/gateway"
gib = 1
[images.vllm]
repository = "clinic/vllm"
gib = 25
[secret]
id = "clinic/hf-token"
"#;

fn written_out() -> File {
    parse(WRITTEN_OUT, "x").unwrap()
}

fn shipped() -> File {
    parse(crate::config::fill::SHIPPED, "x").unwrap()
}

fn actions(policy: &Policy) -> BTreeSet<String> {
    policy.actions().map(str::to_owned).collect()
}

/// Words such as `ssm:SendCommand`.
fn actions_in(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':')
        .filter(|word| {
            word.split_once(':').is_some_and(|(service, action)| {
                // `aws:` begins the keys of conditions.
                !matches!(service, "" | "aws")
                    && service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                    && action.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase())
            })
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_instances_policy_allows_what_the_templates_role_allows() {
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/cloudformation.yaml")).unwrap();
    let role = template.split("\n  Role:\n").nth(1).unwrap().split("\n  InstanceProfile:\n").next().unwrap();
    let mut expected = actions_in(role);
    // Who may take the role, not what it may.
    assert!(expected.remove("sts:AssumeRole"));
    assert_eq!(actions(&instance(&written_out())), expected);
}

/// Every call of the room `aws` names its operation; the operator's policies must allow each.
#[test]
fn every_call_that_is_made_is_allowed() {
    let mut made = BTreeSet::new();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/aws")).unwrap() {
        let path = file.unwrap().path();
        let service = match path.file_stem().unwrap().to_str().unwrap() {
            "ec2" => "ec2",
            "parameters" | "run_command" | "session" => "ssm",
            "secrets" => "secretsmanager",
            // GetCallerIdentity needs no right, and the others make no call.
            "mod" | "error" | "http" | "login" | "tests" => continue,
            other => panic!("which service does aws/{other}.rs call?"),
        };
        made.extend(operations(&path).into_iter().map(|operation| format!("{service}:{operation}")));
    }
    assert!(made.len() > 10, "{made:?}");
    // Asked only when the answer to SendCommand was lost, and done without where it is refused: it would show the
    // commands of everybody in the account.
    assert!(made.remove("ssm:ListCommands"), "{made:?}");
    let (day_by_day, once) = (actions(&operator(&written_out())), actions(&init(&shipped())));
    let mut allowed: BTreeSet<String> =
        day_by_day.union(&once).cloned().chain(actions(&operator(&shipped()))).collect();
    // Only with the switch.
    assert!(!allowed.iter().any(|action| action.contains("Session")), "{allowed:?}");
    allowed.extend(actions(&operator_with_port_forward(&written_out())));
    // AWS' plug-in calls these.
    for action in ["ssm:ResumeSession", "ssmmessages:OpenDataChannel"] {
        assert!(allowed.remove(action), "{action}");
    }
    assert_eq!(allowed, made, "left: allowed, right: called");
}

/// `"SendCommand"`, as the errors of that call say it.
fn operations(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let quoted = text.split('"').skip(1).step_by(2);
    let verbs =
        ["Describe", "Start", "Stop", "Get", "Put", "Delete", "Send", "List", "Cancel", "Create", "TerminateSession"];
    quoted
        .filter(|word| {
            verbs.iter().any(|verb| word.starts_with(verb)) && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn nobody_but_the_box_reads_the_token_and_nobody_day_by_day_writes_it() {
    for file in [written_out(), shipped()] {
        assert!(actions(&instance(&file)).contains("secretsmanager:GetSecretValue"));
        for policy in [operator(&file), init(&file)] {
            assert!(!actions(&policy).contains("secretsmanager:GetSecretValue"));
        }
        let writes = ["secretsmanager:PutSecretValue", "secretsmanager:CreateSecret"];
        assert!(writes.iter().all(|action| !actions(&operator(&file)).contains(*action)));
    }
}

#[test]
fn everything_stands_alone_or_names_its_resource() {
    // IAM knows no narrower resource for these, or (CreateSecret) a condition names it.
    let wide = [
        "ssm:GetCommandInvocation",
        "ssm:CancelCommand",
        "ecr:GetAuthorizationToken",
        "secretsmanager:CreateSecret",
        "ssmmessages:OpenDataChannel",
    ];
    for policy in [operator_with_port_forward(&written_out()), init(&written_out()), instance(&written_out())] {
        for statement in &policy.statement {
            assert!(!statement.resource.is_empty(), "{}", statement.sid);
            if statement.resource.iter().any(|resource| resource == "*") {
                for action in &statement.action {
                    let looks = action.contains(":Describe") || wide.contains(action);
                    let agent = statement.sid == "BeManagedBySystemsManager";
                    assert!(looks || agent, "{action} on everything");
                }
            }
        }
    }
}

/// gh reads what a tag or a digest is with the operator's own login.
#[test]
fn who_verifies_attestations_may_look_into_the_registry() {
    let with = format!("{WRITTEN_OUT}[attestation]\nimages = \"required\"\nrepository = \"acme/gateway\"\n");
    let (with, without) = (operator(&parse(&with, "x").unwrap()), operator(&written_out()));
    let more: Vec<String> = actions(&with).difference(&actions(&without)).cloned().collect();
    assert_eq!(more, ["ecr:BatchGetImage", "ecr:GetAuthorizationToken"]);
}

#[test]
fn a_session_forwards_a_port_of_this_box_and_is_no_shell() {
    let policy = serde_json::to_value(operator_with_port_forward(&written_out())).unwrap();
    let of = |action: &str| {
        let all: Vec<&serde_json::Value> = policy["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|statement| statement["Action"].as_array().unwrap().iter().any(|found| found == action))
            .collect();
        let [one] = all.as_slice() else { panic!("{action}: {all:?}") };
        (*one).clone()
    };
    let start = of("ssm:StartSession");
    let resources = serde_json::json!([
        "arn:aws:ec2:eu-west-1:123456789012:instance/i-0123456789abcdef0",
        "arn:aws:ssm:eu-west-1::document/AWS-StartPortForwardingSession",
    ]);
    assert_eq!(start["Resource"], resources);
    assert_eq!(start["Condition"]["BoolIfExists"]["ssm:SessionDocumentAccessCheck"], "true");
    for action in ["ssm:TerminateSession", "ssm:ResumeSession"] {
        let own = &of(action)["Condition"]["StringEquals"]["ssm:resourceTag/aws:ssmmessages:session-id"];
        assert_eq!(own, "${aws:userid}", "{action}");
    }
}

#[test]
fn other_partitions() {
    for (region, suffix, start) in [
        ("us-gov-west-1", "amazonaws.com", "arn:aws-us-gov:ec2:us-gov-west-1:123456789012:instance/"),
        ("cn-north-1", "amazonaws.com.cn", "arn:aws-cn:ec2:cn-north-1:123456789012:instance/"),
    ] {
        let text =
            WRITTEN_OUT.replace("eu-west-1.amazonaws.com", &format!("eu-west-1.{suffix}")).replace("eu-west-1", region);
        let policy = serde_json::to_value(operator(&parse(&text, "x").unwrap())).unwrap();
        let resource = policy["Statement"][1]["Resource"][0].as_str().unwrap();
        assert!(resource.starts_with(start), "{resource}");
    }
}

#[test]
fn what_is_printed() {
    // As `deployer policy` writes it.
    let shown = |policy: &Policy| serde_json::to_string_pretty(policy).unwrap();
    insta::assert_snapshot!("operator", shown(&operator(&written_out())));
    insta::assert_snapshot!("operator_with_port_forward", shown(&operator_with_port_forward(&written_out())));
    insta::assert_snapshot!("operator_of_the_shipped_file", shown(&operator(&shipped())));
    insta::assert_snapshot!("init", shown(&init(&shipped())));
    insta::assert_snapshot!("instance", shown(&instance(&written_out())));
}
