//! Compares the policies with the template that creates the box and with the calls that the deployer makes.

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

/// Returns the actions in a text, such as `ssm:SendCommand`.
fn actions_in(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != ':')
        .filter(|word| {
            word.split_once(':').is_some_and(|(service, action)| {
                // Condition keys begin with `aws:`.
                !matches!(service, "" | "aws")
                    && service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                    && action.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase())
            })
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_operators_policy_names_every_box() {
    let further = "gpu = true\n[[box.models]]\ninstance_id = \"i-0aaaaaaaaaaaaaaaa\"\n[images]\n";
    let adapter =
        "[[model.adapters]]\nname = \"a\"\nrepo = \"o/a\"\nrevision = \"0123abcd0123abcd0123abcd0123abcd0123abcd\"\n";
    let text = WRITTEN_OUT.replace("[images]\n", further) + adapter;
    let policy = serde_json::to_string(&operator_with_port_forward(&parse(&text, "x").unwrap())).unwrap();
    let count = |word: &str| policy.matches(word).count();
    // To see its protection, start, stop, run programs, forward a port; to record its releases.
    assert_eq!(count("instance/i-0aaaaaaaaaaaaaaaa"), count("instance/i-0123456789abcdef0"), "{policy}");
    assert_eq!(
        (count("instance/i-0aaaaaaaaaaaaaaaa"), count("parameter/clinic/boxes/i-0aaaaaaaaaaaaaaaa/")),
        (4, 2),
        "{policy}"
    );
}

#[test]
fn the_instances_policy_allows_what_the_templates_role_allows() {
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/cloudformation.yaml")).unwrap();
    let role = template.split("\n  Role:\n").nth(1).unwrap().split("\n  InstanceProfile:\n").next().unwrap();
    let mut expected = actions_in(role);
    // This action is in the trust policy, which says who may assume the role.
    assert!(expected.remove("sts:AssumeRole"));
    assert_eq!(actions(&instance(&written_out())), expected);
}

/// Every call in the folder `aws` names its operation. The operator's policies must allow each of them, and nothing
/// else.
#[test]
fn every_call_that_is_made_is_allowed() {
    let mut made = BTreeSet::new();
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/aws")).unwrap() {
        let path = file.unwrap().path();
        let service = match path.file_stem().unwrap().to_str().unwrap() {
            "ec2" => "ec2",
            "parameters" | "run_command" | "session" => "ssm",
            "secrets" => "secretsmanager",
            // These files make no call that needs a right. GetCallerIdentity needs none.
            "mod" | "error" | "http" | "login" | "tests" => continue,
            other => panic!("which service does aws/{other}.rs call?"),
        };
        made.extend(operations(&path).into_iter().map(|operation| format!("{service}:{operation}")));
    }
    assert!(made.len() > 10, "{made:?}");
    // The policies leave ListCommands out, because it would show the commands of every user of the account. It is
    // called only after the answer to SendCommand was lost, and the deployer continues without it if AWS refuses it.
    assert!(made.remove("ssm:ListCommands"), "{made:?}");
    let (day_by_day, once) = (actions(&operator(&written_out())), actions(&init(&shipped())));
    let mut allowed: BTreeSet<String> =
        day_by_day.union(&once).cloned().chain(actions(&operator(&shipped()))).collect();
    // The rights to sessions come only with --port-forward.
    assert!(!allowed.iter().any(|action| action.contains("Session")), "{allowed:?}");
    allowed.extend(actions(&operator_with_port_forward(&written_out())));
    // AWS' plug-in makes these calls.
    for action in ["ssm:ResumeSession", "ssmmessages:OpenDataChannel"] {
        assert!(allowed.remove(action), "{action}");
    }
    assert_eq!(allowed, made, "left: allowed, right: called");
}

/// Returns the operations that a file of `aws` names, such as `"SendCommand"`.
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
fn only_the_box_reads_the_token_and_only_init_writes_it() {
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
fn only_listed_actions_may_have_every_resource() {
    // IAM has no narrower resource for these actions; for CreateSecret a condition names the secret.
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
                    let is_listed = action.contains(":Describe") || wide.contains(action);
                    let is_agent = statement.sid == "BeManagedBySystemsManager";
                    assert!(is_listed || is_agent, "{action} is allowed on every resource");
                }
            }
        }
    }
}

/// gh uses the operator's own registry login to look up a tag or a digest.
#[test]
fn operators_who_verify_attestations_may_read_the_registry() {
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
fn arns_have_the_partition_of_their_region() {
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
fn policies_are_printed_as_recorded() {
    // The same JSON as `deployer policy` prints.
    let shown = |policy: &Policy| serde_json::to_string_pretty(policy).unwrap();
    insta::assert_snapshot!("operator", shown(&operator(&written_out())));
    insta::assert_snapshot!("operator_with_port_forward", shown(&operator_with_port_forward(&written_out())));
    insta::assert_snapshot!("operator_of_the_shipped_file", shown(&operator(&shipped())));
    insta::assert_snapshot!("init", shown(&init(&shipped())));
    insta::assert_snapshot!("instance", shown(&instance(&written_out())));
}
