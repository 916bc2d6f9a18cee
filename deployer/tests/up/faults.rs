//! What AWS can do to an operator: capacity, quota, states, the agent, races, throttling, a lost network.

use serde_json::json;

use crate::{
    account,
    laptop::{Laptop, said},
    lock, served,
    support::{emulator::until, wanted::gateway},
};

#[test]
fn no_capacity_is_waited_for_and_then_given_up() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let none = |times: u32| {
        emulator.fault(&json!({"action": "StartInstances", "code": "InsufficientInstanceCapacity",
            "message": "We currently do not have sufficient g6.2xlarge capacity", "status": 500, "times": times}));
    };
    none(200);
    let given_up = ada.up(1, 1);
    given_up
        .ended(1, &["no free capacity", "InsufficientInstanceCapacity", "another zone", "The deployer does neither."]);
    let offered = ["us-east-1b, us-east-1c, us-east-1d, us-east-1f offer g6.2xlarge", "the box is in us-east-1a"];
    given_up.ended(1, &offered);
    assert_eq!((emulator.instance_state().as_str(), lock(&emulator)), ("stopped", None));
    // Offered, never done; and if it cannot be looked up, the cause is still printed.
    let made = ["CreateImage", "CreateSnapshot", "RunInstances", "UpdateStack"];
    assert!(!emulator.calls().iter().any(|call| made.contains(&call.as_str())), "{:?}", emulator.calls());
    for action in ["DescribeInstanceTypeOfferings", "DescribeVolumes"] {
        emulator.fault(&json!({"action": action, "code": "UnauthorizedOperation", "status": 403, "times": 1}));
    }
    let blind = ada.up(1, 1);
    blind.ended(
        1,
        &["some values could not be looked up", "not known which other zones offer the type", "(150 GiB)", "<zone>"],
    );
    blind.ended(1, &["no free capacity"]);
    drop(emulator);
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure_waits("capacity_seconds = 60\ncapacity_pause_seconds = 1", "");
    emulator
        .fault(&json!({"action": "StartInstances", "code": "InsufficientInstanceCapacity", "status": 500, "times": 5}));
    ada.up(1, 1).ended(0, &["no free capacity now", "Release 1 serves"]);
}

#[test]
fn a_quota_fails_at_once_and_is_named() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.fault(&json!({"action": "StartInstances", "code": "VcpuLimitExceeded", "times": 9,
        "message": "You have requested more vCPU capacity than your current vCPU limit of 0 allows"}));
    ada.up(1, 1).ended(1, &["quota", "vCPU limit of 0", "L-DB2E81BA"]);
    assert_eq!(emulator.calls().iter().filter(|call| *call == "StartInstances").count(), 1, "tried once");
    assert_eq!(lock(&emulator), None);
}

#[test]
fn a_box_that_is_stopping_or_starting_is_waited_for() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.set(&json!({"stop": 1.0, "boot": 1.0}));
    emulator.aws("ec2", "stop_instances", &json!({"InstanceIds": [emulator.instance_id]}));
    assert_eq!(emulator.instance_state(), "stopping");
    ada.up(1, 1).ended(0, &["stopping: start it", "serves and was verified"]);
    ada.run(&["down", "--yes"]).ended(0, &[]);
    emulator.aws("ec2", "start_instances", &json!({"InstanceIds": [emulator.instance_id]}));
    assert_eq!(emulator.instance_state(), "pending");
    ada.up(1, 1).ended(0, &["serves and was verified"]);
}

#[test]
fn a_terminated_or_unknown_box_is_said_to_be_gone() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.aws("ec2", "terminate_instances", &json!({"InstanceIds": [emulator.instance_id]}));
    ada.up(1, 1).ended(1, &["deleted permanently", "config/cloudformation.yaml"]);
    for command in [&["status"][..], &["down", "--yes"]] {
        ada.run(command).ended(0, &["next: The box is terminated. Make a new one", "box.instance_id"]);
    }
    let id = &emulator.instance_id;
    ada.write(
        "config/deployment.toml",
        &std::fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap().replace(id, "i-0123456789abcdef0"),
    );
    ada.up(1, 1).ended(2, &["there is no instance i-0123456789abcdef0 in us-east-1"]);
}

#[test]
fn impaired_checks_and_an_absent_agent_stop_the_box_again() {
    for (trouble, words) in [
        ("impaired", ["status checks fail", "other hardware"]),
        ("no_agent", ["SSM agent has not answered", "port 443"]),
    ] {
        let emulator = account();
        let ada = Laptop::new(&emulator, "ada@laptop");
        emulator.set(&json!({trouble: true, "no_agent": true}));
        ada.up(1, 1).ended(1, &[words[0], words[1], "The box was stopped again."]);
        assert_eq!((emulator.instance_state().as_str(), lock(&emulator)), ("stopped", None), "{trouble}");
    }
}

#[test]
fn a_failed_up_leaves_the_box_running_if_that_is_wanted() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.set(&json!({"no_agent": true}));
    let images = Laptop::images(1, 1);
    let arguments: Vec<&str> =
        ["up", "--yes", "--stop-on-failure=false"].into_iter().chain(images.iter().map(String::as_str)).collect();
    ada.run(&arguments).ended(1, &["The box runs and costs 0.98 USD an hour; deployer down stops it."]);
    assert_eq!(emulator.instance_state(), "running");
    // It was not this run that started it.
    ada.up(1, 1).ended(1, &["SSM agent has not answered"]);
    assert_eq!(emulator.instance_state(), "running");
    ada.run(&["down", "--yes"]).ended(1, &["cannot be drained", "--now"]);
    ada.run(&["down", "--now", "--yes"]).ended(0, &["The box is stopped."]);
}

#[test]
fn races_delays_and_states_of_the_future_are_waited_out() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator
        .set(&json!({"race": 0.7, "delivery": 0.5, "statuses": ["Delayed", "Pending", "Cancelling", "Levitating"]}));
    ada.up(1, 1).ended(0, &["being delivered to the host", "Release 1 serves"]);
}

#[test]
fn throttling_and_a_lost_network_do_not_fail_a_deploy() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let images = Laptop::images(2, 1);
    let arguments: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let child = ada.start_until_held("docker.pull", &arguments);
    // The network fails while the host works, and returns.
    for fault in [json!({"drop": true}), json!({"code": "ThrottlingException", "message": "Rate exceeded"})] {
        let polls = || emulator.calls().iter().filter(|call| *call == "GetCommandInvocation").count();
        let before = polls();
        let mut fault = fault.clone();
        fault["action"] = "GetCommandInvocation".into();
        emulator.fault(&fault);
        until("the fault was met", || polls() > before + 1);
    }
    ada.go();
    said(child).ended(0, &["The work on the host continues", "AWS answers again", "Release 2 serves"]);
    assert_eq!(emulator.host.called("docker.pull"), 3, "deployed once");
}

#[test]
fn a_send_that_is_lost_or_refused_for_a_while_is_sent_once() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.fault(&json!({"action": "SendCommand", "drop": true}));
    emulator.fault(&json!({"action": "SendCommand", "code": "ThrottlingException"}));
    ada.run(&["status"]).ended(0, &[]);
    emulator.fault(&json!({"action": "SendCommand", "code": "InvalidInstanceId"}));
    ada.up(2, 1).ended(0, &["Release 2 serves"]);
    assert_eq!(emulator.host.called("docker.compose-config"), 2, "one deploy each");
}

#[test]
fn a_send_whose_answer_alone_is_lost_runs_once() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let lost = json!({"action": "SendCommand", "drop": "after"});
    let before = emulator.commands().len();
    emulator.fault(&lost);
    ada.run(&["status"]).ended(0, &["AWS may have received the command; looking it up"]);
    assert_eq!(emulator.commands().len(), before + 1);
    // AWS receives and answers the query before the plan; it receives the deploy, but its answer is lost.
    emulator.fault(&json!({"action": "SendCommand"}));
    emulator.fault(&lost);
    ada.up(2, 1).ended(0, &["AWS may have received the command; looking it up", "Release 2 serves"]);
    assert_eq!(emulator.host.called("docker.compose-config"), 2, "one deploy each");
    assert_eq!(emulator.commands().len(), before + 3);
}

#[test]
fn a_start_whose_answer_alone_is_lost_is_a_start() {
    // As often as the SDK asks by itself.
    let lost = json!({"action": "StartInstances", "drop": "after", "times": 4});
    let waits = "capacity_seconds = 60\nagent_seconds = 3\ndeploy_seconds = 60";
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure_waits(waits, "");
    emulator.set(&json!({"no_agent": true}));
    emulator.fault(&lost);
    ada.up(1, 1).ended(1, &["SSM agent has not answered", "The box was stopped again."]);
    assert_eq!((emulator.instance_state().as_str(), lock(&emulator)), ("stopped", None));
    emulator.set(&json!({"no_agent": false}));
    emulator.fault(&lost);
    ada.up(1, 1).ended(0, &["Release 1 serves and was verified."]);
}

#[test]
fn what_is_not_allowed_is_named() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let denied = |action: &str| {
        emulator
            .fault(&json!({"action": action, "code": "AccessDeniedException", "message": "User is not authorized"}));
    };
    denied("SendCommand");
    ada.run(&["status"]).ended(1, &["SendCommand failed: AccessDeniedException", "deployer policy"]);
    denied("PutParameter");
    ada.up(2, 1).ended(1, &["PutParameter failed: AccessDeniedException"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
    emulator.fault(
        &json!({"action": "GetParameter", "code": "ExpiredTokenException", "message": "The security token is expired"}),
    );
    ada.up(2, 1).ended(1, &["ExpiredTokenException", "aws sso login"]);
}

#[test]
fn a_lost_answer_of_the_lock_is_no_lock_of_somebody_else() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    for (drop, number) in [(json!(true), 2), (json!("after"), 3)] {
        emulator.fault(&json!({"action": "PutParameter", "drop": drop}));
        ada.up(number, 1).ended(0, &[&format!("Release {number} serves")]);
        assert_eq!(lock(&emulator), None);
    }
}

#[test]
fn a_lock_that_cannot_be_given_back_is_said() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.fault(&json!({"action": "DeleteParameter", "code": "AccessDeniedException"}));
    ada.up(2, 1).ended(0, &["the lock could not be given back", "deployer unlock", "Release 2 serves"]);
    assert!(lock(&emulator).is_some());
}

#[test]
fn one_refused_look_does_not_stop_a_box_on_which_a_deploy_goes_on() {
    for code in ["ExpiredTokenException", "AccessDeniedException", "UnrecognizedClientException"] {
        let emulator = account();
        let ada = Laptop::new(&emulator, "ada@laptop");
        let images = Laptop::images(1, 1);
        let arguments: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
        let child = ada.start_until_held("docker.pull", &arguments);
        let polls = || emulator.calls().iter().filter(|call| *call == "GetCommandInvocation").count();
        let before = polls();
        emulator.fault(&json!({"action": "GetCommandInvocation", "code": code, "message": "no"}));
        until("the fault was met and outlived", || polls() > before + 2);
        ada.go();
        said(child).ended(0, &[code, "credentials are loaded again", "AWS answers again", "Release 1 serves"]);
        assert_eq!(emulator.instance_state(), "running");
    }
}

#[test]
fn a_session_of_a_second_factor_that_ends_asks_for_another_code() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.write(
        "aws-config",
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/op\nsource_profile = key\n\
         mfa_serial = arn:aws:iam::123456789012:mfa/ada\n\
         [profile key]\naws_access_key_id = emulator\naws_secret_access_key = emulator\n",
    );
    let files = ada.path().join("aws-config");
    let variables = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_PROFILE", "role"),
        ("AWS_CONFIG_FILE", files.to_str().unwrap()),
    ];
    emulator.fault(&json!({"action": "SendCommand", "code": "ExpiredTokenException", "times": 2}));
    let said = ada.run_at_a_terminal_in(&["status"], "123456\n654321\n", &variables);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.out.contains("if this continues, a new code is asked for"), "{said}");
    assert_eq!(emulator.calls().iter().filter(|call| *call == "AssumeRole").count(), 2, "{said}");
    assert!(emulator.everything().contains("TokenCode=654321"), "{said}");
}

#[test]
fn one_refused_look_does_not_stop_a_box_that_starts() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    emulator.set(&json!({"boot": 3.0}));
    let images = Laptop::images(1, 1);
    let arguments: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let child = ada.start(&arguments);
    emulator.until_state("pending");
    emulator.fault(&json!({"action": "DescribeInstances", "code": "ExpiredTokenException"}));
    said(child).ended(0, &["The box continues to start", "AWS answers again", "Release 1 serves"]);
    assert!(!emulator.calls().contains(&"StopInstances".to_owned()), "{:?}", emulator.calls());
}

#[test]
fn a_box_that_serves_again_after_its_start_is_not_stopped_for_a_failed_up() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    // As the idle stop leaves it: the containers come back at the next boot.
    let stop = || {
        emulator.aws("ec2", "stop_instances", &json!({"InstanceIds": [emulator.instance_id]}));
        emulator.until_state("stopped");
    };
    stop();
    let up = ["up", "--yes", "--tag", "nowhere"];
    let words = ["What served before still serves.", "The box was not stopped, because release 1 serves on it"];
    ada.run(&up).ended(1, &words).ended(1, &["0.98 USD an hour until deployer down stops it"]);
    assert_eq!((emulator.instance_state().as_str(), lock(&emulator)), ("running", None));
    // Where the operator wants it stopped, running work ends first, and nothing is said to serve.
    stop();
    let stopped = ada.run(&[&up[..], &["--stop-on-failure"]].concat());
    stopped.ended(1, &["draining running work", "The registry has no such image", "The box was stopped again."]);
    assert!(!stopped.err.contains("still serves"), "{stopped}");
    assert_eq!((emulator.instance_state().as_str(), emulator.host.serving("gateway")), ("stopped", None));
}

#[test]
fn credentials_that_stay_away_stop_nothing_and_say_how_to_look() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let images = Laptop::images(1, 1);
    let arguments: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let child = ada.start_until_held("docker.pull", &arguments);
    emulator.fault(&json!({"action": "GetCommandInvocation", "code": "ExpiredTokenException", "times": 10000}));
    let said = said(child);
    said.ended(
        4,
        &["continues on the host", "credentials", "deployer status shows how it ended", "The box was not stopped"],
    );
    assert_eq!(emulator.instance_state(), "running");
    ada.go();
}

#[test]
fn a_command_that_the_agent_lost_is_sent_once_more() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure_waits("start_seconds = 2\nagent_seconds = 3\ndeploy_seconds = 60", "");
    emulator.set(&json!({"swallow": 1}));
    ada.up(1, 1).ended(0, &["took the command and never ran it; it is sent once more", "Release 1 serves"]);
    assert_eq!(emulator.host.called("docker.compose-config"), 1, "deployed once");
    // A lost query is sent again.
    emulator.set(&json!({"swallow": 1}));
    ada.run(&["status"]).ended(0, &["it is sent once more"]);
}

#[test]
fn status_checks_are_judged_over_minutes() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.configure_waits("agent_seconds = 60\ndeploy_seconds = 60", "");
    // EC2 renews its checks once a minute: three queries within a second count as one.
    emulator.set(&json!({"impaired": 3, "agent": 4.0}));
    ada.up(1, 1).ended(0, &["its status checks fail for now", "Release 1 serves"]);
}
