//! Missing or broken credentials of each kind on the operator's machine, and proxies.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    account::{Account, Inside},
    laptop::{BOX, Ended, Laptop, WRITTEN_OUT},
};

const FILES: &str = "[profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = op\n\
    [sso-session corp]\nsso_start_url = https://corp.invalid/start\nsso_region = us-east-1\n\
    sso_registration_scopes = sso:account:access\n\
    [profile program]\ncredential_process = echo hf_secretOfTheProgram >&2; exit 7\n\
    [profile role]\nrole_arn = arn:aws:iam::123456789012:role/op\nsource_profile = key\n\
    mfa_serial = arn:aws:iam::123456789012:mfa/ada\n\
    [profile dev]\nrole_arn = arn:aws:iam::123456789012:role/op\nsource_profile = sso\n\
    [profile gone]\nrole_arn = arn:aws:iam::123456789012:role/op\nsource_profile = nobody\n\
    [profile mfa-over-sso]\nrole_arn = arn:aws:iam::123456789012:role/op\nsource_profile = sso\n\
    mfa_serial = arn:aws:iam::123456789012:mfa/ada\n\
    [profile plain]\nrole_arn = arn:aws:iam::123456789012:role/op\nsource_profile = key\n\
    [profile key]\naws_access_key_id = testing\naws_secret_access_key = testing\n";

fn laptop() -> Laptop {
    let laptop = Laptop::new(WRITTEN_OUT);
    laptop.write("aws-config", FILES);
    laptop
}

/// Runs `url` with a profile and without the variables that hold credentials.
fn run_url(laptop: &Laptop, aws: &str, profile: &str) -> Ended {
    let path = laptop.path("aws-config");
    let variables = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_PROFILE", profile),
        ("AWS_CONFIG_FILE", path.to_str().unwrap()),
    ];
    laptop.run_in(&["url"], Some(aws), &variables)
}

#[test]
fn each_kind_of_broken_credentials_has_a_next_step() {
    let account = Account::start(Inside::default());
    let laptop = laptop();
    let mut outputs = Vec::new();
    for profile in ["", "typo", "sso", "program", "role", "dev", "gone"] {
        let ended = run_url(&laptop, &account.url, profile);
        assert_eq!(ended.code, 1, "{profile}: {}", ended.shown());
        assert!(!ended.stderr.contains("hf_"), "{}", ended.shown());
        outputs.push(format!("AWS_PROFILE={profile}\n{}", ended.stderr));
    }
    insta::assert_snapshot!("credentials", outputs.concat());
    assert_eq!(account.actions(), Vec::<String>::new(), "a request went to AWS without credentials");
}

/// The error names the credentials, not the configuration. Temporary errors are retried, as in other commands.
#[test]
fn an_unanswered_parameter_lookup_is_not_reported_as_a_configuration_error() {
    let box_id = "/slm-ft-serving/ec2/instance-id";
    let inside = Inside {
        address: Some("203.0.113.7".to_owned()),
        parameters: [(box_id.to_owned(), BOX.to_owned())].into(),
        ..Inside::default()
    };
    let account = Account::start(inside);
    let laptop = Laptop::new(&WRITTEN_OUT.replace(BOX, &format!("ssm:{box_id}")));
    let ended = run_url(&laptop, &account.url, "");
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("box.instance_id refers to the SSM parameter"), "{}", ended.shown());
    assert!(ended.stderr.contains("next: Set AWS_PROFILE and log in"), "{}", ended.shown());
    // More refusals than the SDK's own retries cover.
    account.inside.lock().unwrap().refuse_for = 5;
    account.inside.lock().unwrap().refuse = Some(("GetParameter", "ThrottlingException", "no".to_owned()));
    let ended = laptop.run(&["url"], Some(&account.url), "");
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stderr.contains("AWS does not answer; asking again"), "{}", ended.shown());
    account.inside.lock().unwrap().refuse = Some(("GetParameter", "AccessDeniedException", "no".to_owned()));
    let ended = laptop.run(&["url"], Some(&account.url), "");
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("the right to GetParameter"), "{}", ended.shown());
}

#[test]
fn the_mfa_code_is_requested_in_a_terminal() {
    let inside = Inside { address: Some("203.0.113.7".to_owned()), ..Inside::default() };
    let account = Account::start(inside);
    let laptop = laptop();
    let path = laptop.path("aws-config");
    let variables = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_PROFILE", "role"),
        ("AWS_CONFIG_FILE", path.to_str().unwrap()),
    ];
    let prompt = "Code of arn:aws:iam::123456789012:mfa/ada: ";
    let ended = laptop.run_at_a_prompt_in(&["url"], Some(&account.url), &variables, prompt, "123456\n");
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("BACKEND_API_URL=http://203.0.113.7:8080"), "{}", ended.shown());
    let requests = account.inside.lock().unwrap().asked.clone();
    let role = &requests.iter().find(|(action, _)| action == "AssumeRole").unwrap().1;
    assert!(role.contains("TokenCode=123456") && role.contains("mfa%2Fada"), "{role}");
    // Later requests are signed with the credentials of the role.
    assert!(
        requests.iter().any(|(action, text)| action == "DescribeInstances" && text.contains("Credential=ASIAROLE/"))
    );
}

/// AWS accepts the source profile and refuses the role.
#[test]
fn a_refused_role_has_a_next_step() {
    for (code, words) in [
        ("AccessDenied", "next: Check that aws sts get-caller-identity --profile plain answers"),
        ("InvalidClientTokenId", "next: Make a new key and run aws configure --profile key"),
        ("SignatureDoesNotMatch", "next: Check this machine's clock"),
    ] {
        let inside = Inside { refuse: Some(("AssumeRole", code, "no".to_owned())), ..Inside::default() };
        let account = Account::start(inside);
        let ended = run_url(&laptop(), &account.url, "plain");
        assert_eq!(ended.code, 1, "{}", ended.shown());
        assert!(ended.stderr.contains(&format!("AssumeRole failed: {code}")), "{}", ended.shown());
        assert!(ended.stderr.contains(words), "{}", ended.shown());
    }
}

#[test]
fn no_mfa_code_is_requested_without_source_credentials_and_a_refused_code_is_reported() {
    let account = Account::start(Inside::default());
    let laptop = laptop();
    let path = laptop.path("aws-config");
    let variables = |profile| {
        [
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_PROFILE", profile),
            ("AWS_CONFIG_FILE", path.to_str().unwrap()),
        ]
    };
    let prompt = "Code of";
    // The test types nothing.
    let ended = laptop.start_at_a_terminal_in(&["url"], Some(&account.url), &variables("mfa-over-sso")).end();
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(!ended.stdout.contains(prompt), "{}", ended.shown());
    assert!(ended.stdout.contains("Log in with aws sso login --profile sso"), "{}", ended.shown());
    account.inside.lock().unwrap().refuse = Some(("AssumeRole", "AccessDenied", "wrong one time pass code".to_owned()));
    let ended = laptop.run_at_a_prompt_in(&["url"], Some(&account.url), &variables("role"), prompt, "123456\n");
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stdout.contains("Run this again with the next code of the device"), "{}", ended.shown());
}

/// Starts a proxy for plain HTTP that forwards to `server`. Returns its URL and the first lines of its requests.
fn proxy(server: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (requests, server) = (Arc::clone(&seen), server.trim_start_matches("http://").to_owned());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (requests, server) = (Arc::clone(&requests), server.clone());
            thread::spawn(move || forward(stream, &server, &requests));
        }
    });
    (url, seen)
}

fn forward(mut client: TcpStream, address: &str, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
    let mut server = TcpStream::connect(address).unwrap();
    server.write_all(&head).unwrap();
    let length = text.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body).unwrap();
    server.write_all(&body).unwrap();
    let mut answer = Vec::new();
    let _ = server.read_to_end(&mut answer);
    let _ = client.write_all(&answer);
}

#[test]
fn requests_to_aws_use_the_proxy_of_the_environment() {
    let inside = Inside { address: Some("203.0.113.7".to_owned()), ..Inside::default() };
    let account = Account::start(inside);
    let (proxy, seen) = proxy(&account.url);
    let laptop = laptop();
    // Only the proxy knows this name.
    let aws = "http://aws.invalid:80";
    let ended = laptop.run_in(&["url"], Some(aws), &[("HTTP_PROXY", &proxy), ("HTTPS_PROXY", &proxy)]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(!seen.lock().unwrap().is_empty() && account.actions().contains(&"DescribeInstances".to_owned()));
    // Requests to hosts in NO_PROXY go directly.
    let before = seen.lock().unwrap().len();
    let direct = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "127.0.0.1")];
    assert_eq!(laptop.run_in(&["url"], Some(&account.url), &direct).code, 0);
    assert_eq!(seen.lock().unwrap().len(), before);
}

#[test]
fn an_unreachable_proxy_is_named_without_its_password() {
    let laptop = laptop();
    let proxy = [("HTTP_PROXY", "http://ada:hunter2@127.0.0.1:1")];
    // `doctor` tries once and stops.
    let ended = laptop.run_in(&["doctor"], Some("http://aws.invalid"), &proxy);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stdout.contains("HTTP_PROXY") && !ended.shown().contains("hunter2"), "{}", ended.shown());
}

#[test]
fn the_next_step_for_a_407_names_the_proxy_variable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://ada:hunter2@{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                    head.push(byte[0]);
                }
                let _ = stream.write_all(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"p\"\r\n\
                      Content-Length: 0\r\nConnection: close\r\n\r\n",
                );
            });
        }
    });
    let laptop = laptop();
    // One request that the proxy forwards, and one tunnel for TLS.
    for (aws, variable) in [("http://aws.invalid", "HTTP_PROXY"), ("https://aws.invalid", "HTTPS_PROXY")] {
        let ended = laptop.run_in(&["doctor"], Some(aws), &[(variable, &proxy)]);
        assert_eq!(ended.code, 1, "{}", ended.shown());
        let next = format!("Write name and password into {variable}, as http://NAME:PASSWORD@HOST:PORT");
        assert!(ended.stdout.contains("407") && ended.stdout.contains(&next), "{aws}: {}", ended.shown());
        assert!(!ended.shown().contains("hunter2"), "{}", ended.shown());
    }
}
