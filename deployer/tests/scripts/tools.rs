//! The shims that are also used with a real engine, each compared with its tool's documentation: output and exit
//! status. The engine suite compares the docker shim with docker.

use crate::support::host::{CANARY, Host, SECRET};

const REFUSED: &str = "An error occurred (";

#[test]
fn each_shim_says_what_its_tool_is_documented_to_say() {
    let secret = |id: &str| {
        format!(
            "aws secretsmanager get-secret-value --region us-east-1 --secret-id {id} --query SecretString --output text"
        )
    };
    let image = |key: &str| {
        format!(
            "aws ecr describe-images --region us-east-1 --repository-name extraction/gateway --image-ids {key} --query 'imageDetails[0].imageDigest' --output text"
        )
    };
    let digest = format!("sha256:{}", "a".repeat(64));
    let metadata = "http://169.254.169.254/latest";
    // Command; exit code; what standard output or, of a failure, standard error begins with.
    let documented = [
        // AWS CLI user guide, "Return codes": 254 where the service refused; "Text output": the bare value and a line
        // end.
        (secret(SECRET), 0, format!("{CANARY}\n")),
        (
            secret("nowhere"),
            254,
            format!("{REFUSED}ResourceNotFoundException) when calling the GetSecretValue operation: "),
        ),
        ("aws ecr get-login-password --region us-east-1".to_owned(), 0, "registry-password".to_owned()),
        (image(&format!("imageDigest={digest}")), 0, format!("{digest}\n")),
        (
            image("imageTag=v9"),
            254,
            format!("{REFUSED}ImageNotFoundException) when calling the DescribeImages operation: "),
        ),
        (
            "aws sts get-caller-identity --query Arn --output text".to_owned(),
            0,
            "arn:aws:sts::123456789012:assumed-role/".to_owned(),
        ),
        // EC2 API, "DryRun": an error of this name is the permission.
        (
            "aws ec2 stop-instances --region us-east-1 --instance-ids i-1 --dry-run".to_owned(),
            254,
            format!("{REFUSED}DryRunOperation) when calling the StopInstances operation: Request would have succeeded"),
        ),
        // curl(1), "EXIT CODES": 22 with --fail, 6 for a name that means nothing. EC2, "IMDSv2": 401 without a session.
        (
            format!("curl --silent --show-error --fail --max-time 10 {metadata}/meta-data/instance-id </dev/null"),
            22,
            "curl: (22) The requested URL returned error: 401".to_owned(),
        ),
        (
            format!(
                "curl --silent --fail --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' {metadata}/api/token"
            ),
            0,
            String::new(),
        ),
        (
            "curl --silent --show-error --fail http://nowhere.example/".to_owned(),
            6,
            "curl: (6) Could not resolve host".to_owned(),
        ),
        // nvidia-smi --help-query-gpu, with --format=csv: units unless nounits, a comma and a blank between.
        (
            "nvidia-smi --query-gpu=name,memory.total --format=csv,noheader".to_owned(),
            0,
            "NVIDIA L4, 23034 MiB\n".to_owned(),
        ),
        (
            "nvidia-smi --query-gpu=name,memory.total,memory.used,utilization.gpu --format=csv,noheader,nounits"
                .to_owned(),
            0,
            "NVIDIA L4, 23034, 20511, 37\n".to_owned(),
        ),
        // systemctl(1), "EXIT STATUS": 3 for a unit that is not active; 1 and a word for what is not there.
        ("systemctl is-active --quiet extraction-gateway-autostop.timer".to_owned(), 3, String::new()),
        (
            "systemctl enable --now nowhere.timer".to_owned(),
            1,
            "Failed to enable unit: Unit file nowhere.timer does not exist.".to_owned(),
        ),
        ("systemctl daemon-reload".to_owned(), 0, String::new()),
        // journalctl(1): a line of its own where nothing is found, and no failure.
        (
            "journalctl --no-pager --output short-iso --lines 100 --unit docker.service".to_owned(),
            0,
            "-- No entries --\n".to_owned(),
        ),
        // nsenter(1), "--target", "--net": the program of the words after them, in the network of that process.
        ("nsenter --target 427 --net printf x".to_owned(), 0, "x".to_owned()),
        ("nsenter --target 1 --net true".to_owned(), 1, "nsenter: cannot open /proc/1/ns/net".to_owned()),
        // timedatectl(1), show --property --value: yes or no.
        ("timedatectl show --property NTPSynchronized --value".to_owned(), 0, "yes\n".to_owned()),
    ];
    let host = Host::new();
    host.push(&[&format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/extraction/gateway@{digest}")]);
    for (command, code, says) in documented {
        let ran = host.run_text(&format!("#!/bin/bash\n{command}\n"));
        assert_eq!(ran.code, Some(code), "{command}: {ran:?}");
        let said = if code == 0 { &ran.stdout } else { &ran.stderr };
        assert!(said.starts_with(&says), "{command}: {ran:?}");
    }
}
