//! What an operator's machine may lack on its way to AWS: each kind of credentials, and a proxy.

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

/// Without the variables that hold credentials.
fn status(laptop: &Laptop, aws: &str, profile: &str) -> Ended {
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
fn each_kind_of_credentials_that_does_not_work_has_its_next_step() {
    let account = Account::start(Inside::default());
    let laptop = laptop();
    let mut said = Vec::new();
    for profile in ["", "typo", "sso", "program", "role", "dev", "gone"] {
        let ended = status(&laptop, &account.url, profile);
        assert_eq!(ended.code, 1, "{profile}: {}", ended.shown());
        assert!(!ended.stderr.contains("hf_"), "{}", ended.shown());
        said.push(format!("AWS_PROFILE={profile}\n{}", ended.stderr));
    }
    insta::assert_snapshot!("credentials", said.concat());
    assert_eq!(account.actions(), Vec::<String>::new(), "AWS was asked without credentials");
}

/// What is wrong is not the configuration, and what passes by itself is waited for, as elsewhere.
#[test]
fn a_reference_that_aws_does_not_answer_is_no_wrong_configuration() {
    let box_id = "/slm-ft-serving/ec2/instance-id";
    let inside = Inside {
        address: Some("203.0.113.7".to_owned()),
        parameters: [(box_id.to_owned(), BOX.to_owned())].into(),
        ..Inside::default()
    };
    let account = Account::start(inside);
    let laptop = Laptop::new(&WRITTEN_OUT.replace(BOX, &format!("ssm:{box_id}")));
    let ended = status(&laptop, &account.url, "");
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("box.instance_id refers to the SSM parameter"), "{}", ended.shown());
    assert!(ended.stderr.contains("next: Set AWS_PROFILE and log in"), "{}", ended.shown());
    // More often than the SDK asks by itself.
    account.inside.lock().unwrap().refuse_for = 5;
    account.inside.lock().unwrap().refuse = Some(("GetParameter", "ThrottlingException", "no".to_owned()));
    let ended = laptop.run(&["url"], Some(&account.url), "");
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stderr.contains("AWS does not answer; looking again"), "{}", ended.shown());
    account.inside.lock().unwrap().refuse = Some(("GetParameter", "AccessDeniedException", "no".to_owned()));
    let ended = laptop.run(&["url"], Some(&account.url), "");
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("the right to GetParameter"), "{}", ended.shown());
}

#[test]
fn the_code_of_a_second_factor_is_asked_for_at_a_terminal() {
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
    let asked = "Code of arn:aws:iam::123456789012:mfa/ada: ";
    let ended = laptop.run_at_a_prompt_in(&["url"], Some(&account.url), &variables, asked, "123456\n");
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("BACKEND_API_URL=http://203.0.113.7:8080"), "{}", ended.shown());
    let requests = account.inside.lock().unwrap().asked.clone();
    let role = &requests.iter().find(|(action, _)| action == "AssumeRole").unwrap().1;
    assert!(role.contains("TokenCode=123456") && role.contains("mfa%2Fada"), "{role}");
    // What follows is signed with the role's credentials.
    assert!(
        requests.iter().any(|(action, text)| action == "DescribeInstances" && text.contains("Credential=ASIAROLE/"))
    );
}

/// The role is refused, and not what assumes it.
#[test]
fn a_role_that_is_refused_is_named() {
    for (code, words) in [
        ("AccessDenied", "next: Check that aws sts get-caller-identity --profile plain answers"),
        ("InvalidClientTokenId", "next: Make a new key and run aws configure --profile key"),
        ("SignatureDoesNotMatch", "next: Check this machine's clock"),
    ] {
        let inside = Inside { refuse: Some(("AssumeRole", code, "no".to_owned())), ..Inside::default() };
        let account = Account::start(inside);
        let ended = status(&laptop(), &account.url, "plain");
        assert_eq!(ended.code, 1, "{}", ended.shown());
        assert!(ended.stderr.contains(&format!("AssumeRole failed: {code}")), "{}", ended.shown());
        assert!(ended.stderr.contains(words), "{}", ended.shown());
    }
}

#[test]
fn no_code_is_asked_for_where_the_credentials_under_it_are_missing_and_a_refused_one_is_said() {
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
    // Nobody types anything.
    let ended = laptop.start_at_a_terminal_in(&["url"], Some(&account.url), &variables("mfa-over-sso")).end();
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(!ended.stdout.contains(prompt), "{}", ended.shown());
    assert!(ended.stdout.contains("Log in with aws sso login --profile sso"), "{}", ended.shown());
    account.inside.lock().unwrap().refuse = Some(("AssumeRole", "AccessDenied", "wrong one time pass code".to_owned()));
    let ended = laptop.run_at_a_prompt_in(&["url"], Some(&account.url), &variables("role"), prompt, "123456\n");
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stdout.contains("Run this again with the next code of the device"), "{}", ended.shown());
}

/// A proxy for plain HTTP that notes what it was asked for and hands it on.
fn proxy(to: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (within, to) = (Arc::clone(&seen), to.trim_start_matches("http://").to_owned());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (within, to) = (Arc::clone(&within), to.clone());
            thread::spawn(move || hand_on(stream, &to, &within));
        }
    });
    (url, seen)
}

fn hand_on(mut client: TcpStream, to: &str, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) > 0 {
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
    let mut server = TcpStream::connect(to).unwrap();
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
fn aws_is_asked_through_the_proxy_of_the_environment() {
    let inside = Inside { address: Some("203.0.113.7".to_owned()), ..Inside::default() };
    let account = Account::start(inside);
    let (proxy, seen) = proxy(&account.url);
    let laptop = laptop();
    // This name is known to the proxy alone.
    let aws = "http://aws.invalid:80";
    let ended = laptop.run_in(&["url"], Some(aws), &[("HTTP_PROXY", &proxy), ("HTTPS_PROXY", &proxy)]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(!seen.lock().unwrap().is_empty() && account.actions().contains(&"DescribeInstances".to_owned()));
    // What NO_PROXY names is asked directly.
    let before = seen.lock().unwrap().len();
    let direct = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "127.0.0.1")];
    assert_eq!(laptop.run_in(&["url"], Some(&account.url), &direct).code, 0);
    assert_eq!(seen.lock().unwrap().len(), before);
}

#[test]
fn a_proxy_that_is_not_there_is_named_without_its_password() {
    let laptop = laptop();
    let proxy = [("HTTP_PROXY", "http://ada:hunter2@127.0.0.1:1")];
    // `doctor` asks once, and goes no further.
    let ended = laptop.run_in(&["doctor"], Some("http://aws.invalid"), &proxy);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stdout.contains("HTTP_PROXY") && !ended.shown().contains("hunter2"), "{}", ended.shown());
}

#[test]
fn a_proxy_that_wants_a_name_and_a_password_says_where_they_go() {
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
    // A request that the proxy hands on, and a tunnel for TLS.
    for (aws, variable) in [("http://aws.invalid", "HTTP_PROXY"), ("https://aws.invalid", "HTTPS_PROXY")] {
        let ended = laptop.run_in(&["doctor"], Some(aws), &[(variable, &proxy)]);
        assert_eq!(ended.code, 1, "{}", ended.shown());
        let next = format!("Write name and password into {variable}, as http://NAME:PASSWORD@HOST:PORT");
        assert!(ended.stdout.contains("407") && ended.stdout.contains(&next), "{aws}: {}", ended.shown());
        assert!(!ended.shown().contains("hunter2"), "{}", ended.shown());
    }
}
