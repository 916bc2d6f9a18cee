//! `init` as a process: its output, and the places where the token and the key end up.

use std::fs;

use crate::{
    account::{Account, Inside},
    laptop::{BOX, Ended, Laptop},
};

const TOKEN: &str = "hf_canaryCANARYcanaryCANARY0123456789";
const SECRET: &str = "extraction-gateway/hf-token";
const ARGUMENTS: [&str; 7] = [
    "init",
    "--region",
    "us-east-1",
    "--instance-id",
    BOX,
    "--adapter-revision",
    "0123456789abcdef0123456789abcdef01234567",
];

/// Returns the configuration of the repository.
fn shipped_config() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/deployment.toml")).unwrap()
}

/// Returns the API key from the printed address.
fn key(ended: &Ended) -> String {
    ended.stdout.trim().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn output_of_a_first_and_a_second_run() {
    let (laptop, account) = (Laptop::new(&shipped_config()), Account::start(Inside::default()));
    let ended = laptop.run(&ARGUMENTS, Some(&account.url), &format!("{TOKEN}\n"));
    let key = key(&ended);
    insta::assert_snapshot!("init_first", ended.replaced(&key, "KEY").shown());
    assert_eq!(account.inside.lock().unwrap().secrets[SECRET], TOKEN);

    let again = laptop.run(&ARGUMENTS, Some(&account.url), "");
    insta::assert_snapshot!("init_again", again.shown());
}

#[test]
fn the_token_is_sent_in_one_request_and_written_nowhere() {
    for replace in [false, true] {
        let mut inside = Inside { address: Some("203.0.113.7".to_owned()), ..Inside::default() };
        if replace {
            inside.secrets.insert(SECRET.to_owned(), "an older one".to_owned());
        }
        let (laptop, account) = (Laptop::new(&shipped_config()), Account::start(inside));
        let more: &[&str] = if replace { &["--replace-token"] } else { &[] };
        let ended = laptop.run(&[&ARGUMENTS[..], more].concat(), Some(&account.url), TOKEN);
        assert_eq!(ended.code, 0, "{}", ended.shown());
        assert!(!ended.shown().contains("canary"), "the token was printed");
        assert!(!laptop.everything().contains("canary"), "the token is in a file");
        let inside = account.inside.lock().unwrap();
        let holds: Vec<&str> = inside
            .asked
            .iter()
            .filter(|(_, text)| text.contains("canary"))
            .map(|(action, _)| action.as_str())
            .collect();
        assert_eq!(holds, [if replace { "PutSecretValue" } else { "CreateSecret" }]);
        assert_eq!(inside.secrets[SECRET], TOKEN);
    }
}

#[test]
fn the_key_is_shown_once_and_only_its_digest_stays() {
    let inside = Inside { address: Some("203.0.113.7".to_owned()), ..Inside::default() };
    let (laptop, account) = (Laptop::new(&shipped_config()), Account::start(inside));
    let ended = laptop.run(&ARGUMENTS, Some(&account.url), TOKEN);
    let key = key(&ended);
    assert_eq!(ended.stdout, format!("BACKEND_API_URL=http://203.0.113.7:8080/t/{key}\n"));
    assert_eq!(key.len(), 64);
    assert!(!ended.stderr.contains(&key) && !laptop.everything().contains(&key));
    assert!(account.inside.lock().unwrap().asked.iter().all(|(_, text)| !text.contains(&key)));
    assert_eq!(laptop.read("keys.txt").split(' ').next(), Some("vercel"));
}

#[test]
fn invalid_token_input_changes_nothing_and_is_not_printed() {
    for piped in ["", "canary", "hf_canary with blanks and more than twenty"] {
        let (laptop, account) = (Laptop::new(&shipped_config()), Account::start(Inside::default()));
        let ended = laptop.run(&ARGUMENTS, Some(&account.url), piped);
        assert_eq!(ended.code, 2, "{}", ended.shown());
        assert!(!ended.shown().contains("canary") && ended.stderr.contains("nothing was changed"), "{}", ended.shown());
        assert!(account.actions().iter().all(|action| action.starts_with("Get") || action.starts_with("Describe")));
        assert_eq!(laptop.everything(), shipped_config());
    }
}

#[test]
fn the_prompt_does_not_show_the_token() {
    let (laptop, account) = (Laptop::new(&shipped_config()), Account::start(Inside::default()));
    let ended = laptop.run_at_a_prompt(&ARGUMENTS, Some(&account.url), "not shown): ", &format!("{TOKEN}\n"));
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(ended.stdout.contains("created") && !ended.stdout.contains("canary"), "{}", ended.stdout);
    assert_eq!(account.inside.lock().unwrap().secrets[SECRET], TOKEN);
}

#[test]
fn a_token_typed_before_the_prompt_is_accepted_and_not_shown() {
    let (laptop, (account, held)) = (Laptop::new(&shipped_config()), Account::start_held(Inside::default()));
    let mut terminal = laptop.start_at_a_terminal(&ARGUMENTS, Some(&account.url));
    // The command waits for AWS, so it has not shown the prompt yet.
    held.wait();
    terminal.type_keys(&format!("{TOKEN}\n"));
    held.release();
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(ended.stdout.contains("not shown): ") && !ended.stdout.contains("canary"), "{}", ended.stdout);
    assert_eq!(account.inside.lock().unwrap().secrets[SECRET], TOKEN);
}

#[test]
fn ctrl_c_at_the_prompt_changes_nothing() {
    let (laptop, account) = (Laptop::new(&shipped_config()), Account::start(Inside::default()));
    let ended = laptop.run_at_a_prompt(&ARGUMENTS, Some(&account.url), "not shown): ", "hf_canary\u{3}");
    assert_eq!(ended.code, 130, "{}", ended.stdout);
    assert!(ended.stdout.contains("interrupted before anything was changed"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("canary"), "{}", ended.stdout);
    assert!(account.actions().iter().all(|action| action.starts_with("Get") || action.starts_with("Describe")));
    assert_eq!(laptop.everything(), shipped_config());
}

#[test]
fn one_ctrl_c_counts_once_where_sighup_is_ignored() {
    // Where two listeners report the same signal, which of them is seen first is left to chance, so this tries often.
    for _ in 0..6 {
        let (laptop, (account, held)) = (Laptop::new(&shipped_config()), Account::start_held(Inside::default()));
        let mut terminal = laptop.start_without_hangup(&ARGUMENTS, Some(&account.url));
        // The command waits for AWS, so it has not answered the interrupt when the next signal would be read.
        held.wait();
        terminal.type_keys("\u{3}");
        held.release();
        let ended = terminal.end();
        assert_eq!(ended.code, 130, "{}", ended.stdout);
        assert!(ended.stdout.contains("interrupted before anything was changed"), "{}", ended.stdout);
    }
}

#[test]
fn a_refused_secret_is_reported_without_the_token_and_the_next_run_succeeds() {
    let echo = format!("1 validation error detected: Value '{TOKEN}' at 'secretString' failed");
    for (code, words, expected) in [
        ("AccessDeniedException", "you may not".to_owned(), "Give your user or role the right to CreateSecret"),
        ("ValidationException", echo, "CreateSecret failed: ValidationException"),
        ("InvalidRequestException", "scheduled for deletion".to_owned(), "scheduled for deletion"),
    ] {
        let inside = Inside { refuse: Some(("CreateSecret", code, words)), ..Inside::default() };
        let (laptop, account) = (Laptop::new(&shipped_config()), Account::start(inside));
        let ended = laptop.run(&ARGUMENTS, Some(&account.url), TOKEN);
        assert_eq!(ended.code, 1, "{}", ended.shown());
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert!(!ended.shown().contains("canary") && !laptop.everything().contains("canary"), "{}", ended.shown());
        assert!(!laptop.path("keys.txt").exists(), "a key was created but not shown");
        account.inside.lock().unwrap().refuse = None;
        let again = laptop.run(&ARGUMENTS, Some(&account.url), TOKEN);
        assert_eq!(again.code, 0, "{}", again.shown());
        assert!(again.stdout.contains("/t/") && laptop.path("keys.txt").exists());
    }
}

#[test]
fn without_aws_nothing_is_changed() {
    let laptop = Laptop::new(&shipped_config());
    let ended = laptop.run(&ARGUMENTS, None, TOKEN);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    assert!(ended.stderr.contains("GetCallerIdentity failed: no connection"), "{}", ended.stderr);
    assert_eq!(laptop.everything(), shipped_config());
}
