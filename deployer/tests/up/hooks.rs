//! Hooks in the configuration's folder, and the webhook's notice.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    account,
    laptop::{Laptop, said, signal},
    lock, served,
    support::{emulator::until, host::write_program, wanted::gateway},
};

fn hook(ada: &Laptop<'_>, name: &str, text: &str) {
    fs::create_dir_all(ada.path().join("config/hooks")).unwrap();
    write_program(&ada.path().join("config/hooks").join(name), &format!("#!/bin/sh\n{text}\n"));
}

/// Records the variables that a hook gets.
const TOLD: &str = "env | grep ^DEPLOYER_ | sort >>told; echo \"AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY\" >>told";

fn told(ada: &Laptop<'_>) -> String {
    fs::read_to_string(ada.path().join("config/told")).unwrap_or_default()
}

#[test]
fn they_are_told_what_is_done_and_what_became_of_it() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    hook(&ada, "pre-up", &format!("echo before; {TOLD}"));
    hook(&ada, "post-up", &format!("printf 'after\\033[31m\\n' >&2; {TOLD}"));
    hook(&ada, "failure", &format!("echo failed; {TOLD}"));
    ada.up(1, 1).ended(0, &["=> hook pre-up", "   hook | before", "   hook | after [31m", "Release 1 serves"]);
    let seen = told(&ada);
    for line in [
        "DEPLOYER_COMMAND=up",
        "DEPLOYER_OPERATOR=ada@laptop",
        "DEPLOYER_OUTCOME=\n",
        "DEPLOYER_OUTCOME=done",
        "DEPLOYER_RELEASE=1",
        "DEPLOYER_URL=http://203.0.113.10:8080",
        &format!("DEPLOYER_GATEWAY_IMAGE={}", gateway(1)),
    ] {
        assert!(seen.contains(line), "{line}: {seen}");
    }
    assert!(!seen.contains("AWS_SECRET_ACCESS_KEY=e") && !seen.contains("failed"), "{seen}");
    fs::remove_file(ada.path().join("config/told")).unwrap();
    emulator.host.behave(&gateway(2), "crash");
    let back = ada.up(2, 1);
    back.ended(3, &["   hook | failed"]);
    let seen = told(&ada);
    assert!(
        seen.contains("DEPLOYER_OUTCOME=rolled_back\n") && seen.contains("DEPLOYER_FAILED_STEP=switch\n"),
        "{seen}"
    );
    assert!(seen.contains("DEPLOYER_EXIT=3\n") && !back.err.contains("hook | after"), "{seen}");
}

#[test]
fn one_that_refuses_stops_before_anything_is_changed() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    hook(&ada, "pre-up", "echo no deploys on Saturday; exit 3");
    ada.up(1, 1)
        .ended(1, &["hook | no deploys on Saturday", "the hook pre-up failed (exit status: 3); nothing was changed"]);
    ada.configure("[hooks]\nseconds = 1");
    hook(&ada, "pre-up", "sleep 60 & sleep 60");
    ada.up(1, 1).ended(1, &["did not end in 1 s and was killed"]);
    fs::set_permissions(ada.path().join("config/hooks/pre-up"), fs::Permissions::from_mode(0o644)).unwrap();
    ada.up(1, 1).ended(2, &["not an executable file"]);
    assert_eq!((emulator.instance_state().as_str(), lock(&emulator)), ("stopped", None));
    let images = Laptop::images(1, 1);
    let without: Vec<&str> =
        ["up", "--yes", "--no-hooks"].into_iter().chain(images.iter().map(String::as_str)).collect();
    ada.run(&without).ended(0, &["Release 1 serves"]);
}

#[test]
fn ctrl_c_ends_one_and_one_that_fails_afterwards_is_a_warning() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    hook(&ada, "pre-up", ": >reached; sleep 60");
    let images = Laptop::images(2, 1);
    let up: Vec<&str> = ["up", "--yes"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let child = ada.start(&up);
    until("the hook runs", || ada.path().join("config/reached").exists());
    signal(&child, "INT");
    said(child).ended(130, &["the hook pre-up was killed; nothing was changed"]);
    assert_eq!(emulator.host.serving("gateway"), Some(gateway(1)));
    fs::remove_file(ada.path().join("config/hooks/pre-up")).unwrap();
    hook(&ada, "post-up", "exit 1");
    ada.up(2, 1).ended(0, &["warning: the hook post-up failed", "Release 2 serves"]);
}

/// Answers each request with this status, and passes on its head and body.
fn receiver(status: u16) -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/SECRETPATH", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(&stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            write!(&stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            sender.send((head, serde_json::from_slice(&body).unwrap())).unwrap();
        }
    });
    (url, receiver)
}

#[test]
fn a_webhook_hears_of_every_change_and_its_address_is_never_shown() {
    let emulator = served();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let (url, heard) = receiver(200);
    ada.write("config/webhook", &format!("{url}\n"));
    ada.configure("[notify]\nwebhook_file = \"webhook\"");
    let up = ada.up(2, 1);
    up.ended(0, &["Release 2 serves"]);
    let (first_line, body) = heard.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(first_line.starts_with("POST /services/SECRETPATH "), "{first_line}");
    assert_eq!((&body["command"], &body["outcome"], &body["release"]), (&"up".into(), &"done".into(), &2.into()));
    assert!(body["text"].as_str().unwrap().contains("up by ada@laptop: done. Release 2 serves"), "{body}");
    for (address, why) in [
        (receiver(500).0, "it answered 500"),
        ("http://127.0.0.1:1/SECRETPATH".to_owned(), "no connection"),
        ("http://hooks.example.org/SECRETPATH".to_owned(), "its address is not an https address"),
    ] {
        ada.write("config/webhook", &address);
        let said = ada.run(&["restart", "--service", "gateway", "--yes"]);
        said.ended(0, &[&format!("warning: the notice to the webhook was not sent: {why}")]);
        assert!(!said.to_string().contains("SECRETPATH"), "{said}");
    }
    ada.write("config/webhook", &url);
    let down = ada.run(&["down", "--yes"]);
    down.ended(0, &["The box is stopped."]);
    assert_eq!(heard.recv_timeout(Duration::from_secs(5)).unwrap().1["command"], "down");
    assert!(!format!("{up}{down}").contains("SECRETPATH"));
}
