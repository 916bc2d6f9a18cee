//! `port-forward`, with a stand-in for AWS' plug-in that really forwards to the server on the emulated box.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Child,
    thread,
};

use serde_json::{Value, json};

use crate::{
    account,
    laptop::{CommandOutput, Laptop, said, signal},
    support::emulator::{Emulator, until},
};

const PLUGIN: &str = "session-manager-plugin";

/// The plug-in on the laptop's PATH; `fault` as its own text has them.
fn install(ada: &Laptop<'_>, fault: &str) -> PathBuf {
    let bin = ada.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator").join(PLUGIN);
    let _ = symlink(plugin, bin.join(PLUGIN));
    fs::write(bin.join("fault"), fault).unwrap();
    bin
}

/// How the plug-in was called to forward.
fn calls(bin: &Path) -> Vec<Value> {
    let text = fs::read_to_string(bin.join("calls")).unwrap_or_default();
    let calls = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    calls.filter(|call| call["arguments"] != json!(["--version"])).collect()
}

/// A running box on whose loopback a server listens at the gateway's port, with one answer for all clients.
fn running(emulator: &Emulator, ada: &Laptop<'_>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(b"the gateway says ").unwrap();
            stream.write_all(&asked).unwrap();
        }
    });
    ada.configure(&format!("[gateway]\nport = {port}"));
    emulator.boot();
    port
}

/// Starts it, and returns the address that it prints once the port is open.
fn open(ada: &Laptop<'_>, arguments: &[&str]) -> (Child, String) {
    let mut child = ada.start(arguments);
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "it opened nothing: {}", said(child));
    (child, line.trim().strip_prefix("http://").unwrap().to_owned())
}

fn ask(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"hello").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn ctrl_c(child: Child) -> CommandOutput {
    signal(&child, "INT");
    said(child)
}

fn lives(call: &Value) -> bool {
    Path::new(&format!("/proc/{}/exe", call["pid"])).read_link().is_ok()
}

#[test]
fn a_local_port_leads_to_the_gateway_until_ctrl_c() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let bin = install(&ada, "");
    let port = running(&emulator, &ada);
    let (child, address) = open(&ada, &["port-forward", "--port", "0"]);
    assert_eq!((ask(&address), ask(&address)), ("the gateway says hello".into(), "the gateway says hello".into()));
    let session = emulator.sessions().pop().unwrap();
    assert_eq!(session["parameters"], json!({"portNumber": [port.to_string()], "localPortNumber": ["0"]}));
    assert_eq!((&session["open"], &session["target"]), (&true.into(), &emulator.instance_id.clone().into()));
    assert_eq!(session["reason"], "deployer port-forward by ada@laptop");
    // As the AWS command line calls it, and the token is in no argument.
    let call = calls(&bin).pop().unwrap();
    let request = json!({"Target": emulator.instance_id, "DocumentName": "AWS-StartPortForwardingSession",
        "Parameters": session["parameters"], "Reason": session["reason"]});
    let arguments = call["arguments"].as_array().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments[4].as_str().unwrap()).unwrap(), request);
    assert_eq!(
        (&arguments[..4], &arguments[5]),
        (
            &["AWS_SSM_START_SESSION_RESPONSE", "us-east-1", "StartSession", ""].map(Value::from)[..],
            &emulator.url.clone().into()
        )
    );
    assert!(arguments.len() == 6 && call["variable"] == true && lives(&call));
    let seen = ctrl_c(child);
    seen.ended(130, &["forwards to port", "the session was ended", "opens another session"]);
    let token = session["token"].as_str().unwrap();
    assert!(!seen.err.contains(token) && !fs::read_to_string(bin.join("calls")).unwrap().contains(token));
    assert_eq!(emulator.sessions()[0]["open"], false);
    assert!(!lives(&call) && TcpStream::connect(&address).is_err());
    assert!(!emulator.calls().iter().any(|call| call == "SendCommand"));
}

#[test]
fn a_program_follows_it() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    install(&ada, "");
    running(&emulator, &ada);
    let mut child = ada.start(&["port-forward", "--port", "0", "--format", "json"]);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let opened: Value = loop {
        let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if event["event"] == "opened" {
            break event;
        }
    };
    assert_eq!(ask(opened["text"].as_str().unwrap().trim_start_matches("http://")), "the gateway says hello");
    signal(&child, "TERM");
    lines.for_each(drop);
    let document = said(child).json();
    assert_eq!((&document["exit"], &document["url"]), (&130.into(), &opened["text"]), "{document}");
    assert_eq!((&document["session_ended"], &document["session"]), (&true.into(), &emulator.sessions()[0]["id"]));
}

#[test]
fn before_a_session_is_opened_all_that_it_needs_is_looked_at() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let missing = ["is not on this machine", "no session was opened", "session-manager-working-with-install-plugin"];
    ada.run(&["port-forward"]).ended(1, &missing);
    let bin = install(&ada, "old");
    ada.run(&["port-forward"]).ended(1, &["1.2.497.0 is too old", "takes the session's token as an argument"]);
    fs::write(bin.join("fault"), "").unwrap();
    ada.run(&["port-forward", "--port", "0"]).ended(1, &["the box is stopped"]);
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().port();
    ada.run(&["port-forward", "--port", &taken.to_string()])
        .ended(1, &["cannot be listened on", "--port selects another"]);
    drop(held);
    ada.configure("[gateway]\nbind = \"10.0.0.5\"");
    ada.run(&["port-forward"]).ended(2, &["gateway.bind is 10.0.0.5", "then run deployer up"]);
    assert!(!emulator.calls().iter().any(|call| call == "StartSession"));
    assert!(calls(&bin).is_empty());
}

#[test]
fn sessions_that_go_wrong_are_ended_and_said() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let bin = install(&ada, "no_stream");
    running(&emulator, &ada);
    let run = || ada.run(&["port-forward", "--port", "0"]);
    // It ends with 0, and yet nothing was opened.
    run().ended(1, &["Cannot perform start session", "ended before it opened the port"]);
    fs::write(bin.join("fault"), "dies").unwrap();
    run().ended(1, &["timed out", "the session ended: Session Manager ends one that is idle"]);
    let denied = json!({"action": "StartSession", "code": "AccessDeniedException", "message": "not authorized"});
    emulator.fault(&denied);
    run().ended(1, &["StartSession failed", "deployer policy operator --port-forward"]);
    emulator.fault(&json!({"action": "StartSession", "code": "TargetNotConnected"}));
    run().ended(1, &["TargetNotConnected", "deployer doctor"]);
    assert!(emulator.sessions().iter().all(|session| session["open"] == false), "{:?}", emulator.sessions());

    // A session that cannot be ended is named.
    fs::write(bin.join("fault"), "").unwrap();
    let (child, _) = open(&ada, &["port-forward", "--port", "0"]);
    emulator.fault(&json!({"action": "TerminateSession", "code": "AccessDeniedException"}));
    let id = emulator.sessions().last().unwrap()["id"].as_str().unwrap().to_owned();
    ctrl_c(child).ended(130, &[&format!("the session {id} could not be ended"), "--port-forward"]);
    // A plug-in that ignores Ctrl-C is killed.
    fs::write(bin.join("fault"), "deaf").unwrap();
    let (child, address) = open(&ada, &["port-forward", "--port", "0"]);
    let call = calls(&bin).pop().unwrap();
    ctrl_c(child).ended(130, &["the session was ended"]);
    assert!(!lives(&call) && TcpStream::connect(&address).is_err());
}

#[test]
fn a_second_ctrl_c_leaves_no_plugin_behind() {
    let emulator = account();
    let ada = Laptop::new(&emulator, "ada@laptop");
    let bin = install(&ada, "deaf");
    running(&emulator, &ada);
    let (child, _) = open(&ada, &["port-forward", "--port", "0"]);
    let call = calls(&bin).pop().unwrap();
    // Two that come at once are one.
    until("the second one ends it", || {
        signal(&child, "INT");
        !lives(&call)
    });
    assert_eq!(said(child).code, Some(130));
}
