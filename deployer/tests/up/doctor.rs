//! `doctor` with each thing missing in turn.

use serde_json::{Value, json};

use crate::{
    account,
    laptop::Laptop,
    served,
    support::{emulator::Emulator, host::SECRET},
};

/// A box that serves, with a role, an open port and an idle stop: nothing to fix.
fn sound() -> Emulator {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    ada.run(&["autostop", "on", "--yes"]).ended(0, &[]);
    let made = emulator.aws("ec2", "create_security_group", &json!({"GroupName": "box", "Description": "box"}));
    let group = &made["GroupId"];
    emulator.aws("ec2", "modify_instance_attribute", &json!({"InstanceId": emulator.instance_id, "Groups": [group]}));
    let rule = json!([{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    emulator.aws("ec2", "authorize_security_group_ingress", &json!({"GroupId": group, "IpPermissions": rule}));
    let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    emulator.aws("iam", "create_role", &json!({"RoleName": "box", "AssumeRolePolicyDocument": trust}));
    emulator.aws("iam", "create_instance_profile", &json!({"InstanceProfileName": "box"}));
    emulator.aws("iam", "add_role_to_instance_profile", &json!({"InstanceProfileName": "box", "RoleName": "box"}));
    emulator.aws(
        "ec2",
        "associate_iam_instance_profile",
        &json!({"IamInstanceProfile": {"Name": "box"}, "InstanceId": emulator.instance_id}),
    );
    emulator
}

/// The finding of one check that is not ok.
fn finding(findings: &Value, check: &str) -> Option<Value> {
    findings["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|found| found["check"] == check && found["level"] != "ok")
        .cloned()
}

#[test]
fn nothing_is_missing_and_then_each_thing_in_turn() {
    let emulator = sound();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let all_well = ada.run(&["doctor"]);
    all_well.ended(0, &["deployer plan"]);
    assert!(!all_well.out.contains("BAD"), "{all_well}");
    let host = &emulator.host;
    let fail = |tool: &str, why: &str| host.fault(tool, &format!("always fail {why}"));
    let faults: [(&str, &str, &dyn Fn()); 10] = [
        ("docker", "install Docker", &|| fail("docker.version", "Cannot connect to the Docker daemon")),
        ("compose", "docker-compose-plugin", &|| fail("docker.compose-version", "unknown command")),
        ("gpu", "g6", &|| fail("nvidia-smi", "NVIDIA-SMI has failed")),
        ("identity", "instance profile", &|| fail("aws.get-caller-identity", "Unable to locate credentials")),
        ("secret", "deployer init", &|| fail("aws.get-secret-value", "An error occurred (ResourceNotFoundException)")),
        ("registry", "deployer policy", &|| fail("aws.get-login-password", "AccessDenied")),
        ("images", "Push them", &|| fail("aws.describe-images", "An error occurred (ImageNotFoundException)")),
        ("disk", "modify-volume", &|| host.set("disk_free", "1000000000")),
        ("clock", "set-ntp", &|| host.set("clock", "no")),
        ("autostop", "autostop on", &|| host.set("systemd/none", "")),
    ];
    for (check, fix, break_it) in faults {
        if check == "autostop" {
            ada.run(&["autostop", "off", "--yes"]).ended(0, &[]);
        }
        break_it();
        let said = ada.run(&["doctor", "--format", "json"]);
        let harmless = matches!(check, "clock" | "autostop");
        said.ended(i32::from(!harmless), &[]);
        let found = finding(&said.json(), check).unwrap_or_else(|| panic!("{check}: {said}"));
        assert!(found["mend"].as_str().unwrap().contains(fix) && !found["why"].as_str().unwrap().is_empty(), "{found}");
        host.no_faults();
        host.set("disk_free", "150000000000");
        host.set("clock", "yes");
    }
}

#[test]
fn what_the_account_lacks() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let said = ada.run(&["doctor", "--format", "json"]);
    let found = said.ended(1, &[]).json();
    for check in ["role", "ports"] {
        assert_eq!(finding(&found, check).unwrap_or_else(|| panic!("{check}: {said}"))["level"], "bad");
    }
    for check in ["termination", "quota", "host"] {
        assert_eq!(finding(&found, check).unwrap_or_else(|| panic!("{check}: {said}"))["level"], "note");
    }
    let quota = finding(&found, "quota").unwrap()["mend"].as_str().unwrap().to_owned();
    assert!(quota.contains("get-service-quota") && quota.contains("--region us-east-1"), "{quota}");
    emulator.aws("secretsmanager", "delete_secret", &json!({"SecretId": SECRET, "ForceDeleteWithoutRecovery": true}));
    let said = ada.run(&["doctor", "--format", "json"]);
    assert!(finding(&said.ended(1, &[]).json(), "secret").unwrap()["mend"].as_str().unwrap().contains("deployer init"));
}

#[test]
fn an_instance_that_anybody_can_end_is_named_with_the_command_that_protects_it() {
    let emulator = sound();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let look = || {
        let said = ada.run(&["doctor", "--format", "json"]);
        finding(&said.ended(0, &[]).json(), "termination")
    };
    let id = emulator.instance_id.clone();
    let protect = |on: bool| {
        let value = json!({"InstanceId": id, "DisableApiTermination": {"Value": on}});
        emulator.aws("ec2", "modify_instance_attribute", &value);
    };
    protect(false);
    let found = look().expect("nothing protects it");
    let command = format!("--region us-east-1 --disable-api-termination --instance-id {id}");
    assert!(found["level"] == "note" && found["mend"].as_str().unwrap().ends_with(&command), "{found}");
    protect(true);
    assert_eq!(look(), None);
    // An operator with an older policy: reported, and the other checks still run.
    emulator.fault(&json!({"action": "DescribeInstanceAttribute", "code": "UnauthorizedOperation", "status": 403}));
    let found = look().expect("not known");
    assert!(found["mend"].as_str().unwrap().contains("ec2:DescribeInstanceAttribute"), "{found}");
}

#[test]
fn a_version_that_is_none_and_a_clock_that_is_wrong_are_findings() {
    let emulator = sound();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let config = std::fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap();
    ada.write("config/deployment.toml", &config.replace("gateway\"\ngib", "gateway\"\nversion = \"a b\"\ngib"));
    let said = ada.run(&["doctor"]);
    said.ended(1, &["1 of "]);
    assert!(said.out.contains("BAD  images") && said.out.contains("images.gateway.version"), "{said}");
    assert!(said.out.contains("ok   docker"), "the rest was checked: {said}");
    for code in ["RequestTimeTooSkewed", "InvalidSignatureException"] {
        emulator.fault(&json!({"action": "GetCallerIdentity", "code": code, "status": 403}));
        let said = ada.run(&["doctor"]);
        assert!(said.ended(1, &[]).out.contains("fix: Check this machine's clock"), "{said}");
    }
}

#[test]
fn credentials_region_reference_files_and_agent() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let said = ada.run_without_credentials(&["doctor"]);
    said.ended(1, &["1 of 1 checks"]);
    assert!(said.out.contains("BAD  credentials") && said.out.contains("aws sso login"), "{said}");
    let config = std::fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap();
    ada.write("config/deployment.toml", &config.replace("region = \"us-east-1\"", "region = \"eu-west-1\""));
    assert!(ada.run(&["doctor"]).ended(1, &[]).out.contains("is not in the region eu-west-1"));
    ada.write("config/deployment.toml", &config.replace(&emulator.instance_id, "ssm:/nowhere/id"));
    assert!(ada.run(&["doctor"]).ended(1, &[]).out.contains("/nowhere/id, which does not exist"));
    ada.write("config/deployment.toml", &config);
    std::fs::remove_file(ada.path().join("config/keys.txt")).unwrap();
    let said = ada.run(&["doctor"]);
    assert!(said.out.contains("BAD  files") && said.out.contains("deployer init"), "{said}");
    ada.write("config/keys.txt", "");
    emulator.boot();
    emulator.set(&json!({"no_agent": true}));
    assert!(ada.run(&["doctor"]).ended(1, &[]).out.contains("the SSM agent was never seen"));
}

#[test]
fn a_reference_is_resolved_and_a_secure_one_refused() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let config = std::fs::read_to_string(ada.path().join("config/deployment.toml")).unwrap();
    ada.write("config/deployment.toml", &config.replace(&emulator.instance_id, "ssm:/slm-ft-serving/ec2/instance-id"));
    ada.run(&["status"])
        .ended(2, &["box.instance_id refers to the SSM parameter /slm-ft-serving/ec2/instance-id", "does not exist"]);
    let put = |kind: &str, value: &str| {
        let name = "/slm-ft-serving/ec2/instance-id";
        emulator.aws("ssm", "put_parameter", &json!({"Name": name, "Type": kind, "Value": value, "Overwrite": true}));
    };
    put("String", "not an id");
    ada.run(&["status"]).ended(2, &["is not the id of an instance"]);
    put("String", &emulator.instance_id);
    ada.run(&["status"]).ended(0, &[]);
    put("SecureString", &emulator.instance_id);
    ada.run(&["status"]).ended(2, &["is encrypted"]);
}
