use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, mpsc},
    thread,
};

use super::{
    ChannelConfig, Channels, MOST_WAITING, Message,
    mail::{MailConfig, MailTls},
};
use crate::monitor::{
    alerts::{Notice, NoticeKind},
    rules::AlertKind,
};

fn message() -> Arc<Message> {
    let notice = Notice {
        alert: AlertKind::QueueDepth,
        event: NoticeKind::Fired,
        value: Some(300.0),
        threshold: Some(256.0),
        what: "300 calls wait for a model server".into(),
    };
    Arc::new(Message {
        time: "2026-11-30T01:00:00.000Z".into(),
        service: "gateway-prod".into(),
        text: notice.line(),
        notice,
    })
}

/// A webhook that answers every request with a status, or never if there is none. Returns its URL and the bodies.
fn webhook(status: Option<u16>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/secret", listener.local_addr().unwrap());
    let (sender, bodies) = mpsc::channel();
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = sender.send(String::from_utf8(body).unwrap());
            match status {
                Some(status) => {
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                    stream.write_all(answer.as_bytes()).unwrap();
                }
                None => open.push(stream),
            }
        }
    });
    (url, bodies)
}

fn to(url: &str) -> ChannelConfig {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    fs::write(&path, url).unwrap();
    ChannelConfig::webhook("webhook", &path).unwrap()
}

#[tokio::test]
async fn a_failing_and_a_hanging_channel_hold_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("alerts.log");
    let (good, bodies) = webhook(Some(200));
    let (hangs, _asked) = webhook(None);
    let (refuses, _asked) = webhook(Some(500));
    let script = "printf '%s|%s|%s' \"$DEPLOYER_ALERT\" \"$DEPLOYER_ALERT_EVENT\" \"$DEPLOYER_WEBHOOK_URL\" >told";
    let command = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
    let failing = vec!["sh".to_owned(), "-c".to_owned(), "echo secret >&2; exit 3".to_owned()];
    let mut channels = Channels::start(vec![
        to(&hangs),
        to(&refuses),
        ChannelConfig::command(failing, folder.path()).unwrap(),
        to(&good),
        ChannelConfig::log_file(log.clone()).unwrap(),
        ChannelConfig::command(command, folder.path()).unwrap(),
    ]);
    assert_eq!(channels.send(&message()), Vec::<String>::new());
    // Five of the six answer; the sixth hangs until its limit.
    let mut told = Vec::new();
    while channels.status().iter().filter(|status| status.sent + status.failed_attempts > 0).count() < 5 {
        if let Some(report) = channels.reports.recv().await {
            told.extend(channels.record(report));
        }
    }
    told.sort();
    assert_eq!(
        told,
        [
            "the channel command failed: the program failed (exit status: 3); it is tried again",
            "the channel webhook failed: it answered 500; it is tried again",
        ]
    );
    let status = channels.status();
    assert_eq!(status.iter().map(|one| one.sent).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1]);
    assert_eq!(status.get(1).unwrap().error.as_deref(), Some("it answered 500"));
    let body: serde_json::Value = serde_json::from_str(&bodies.recv().unwrap()).unwrap();
    assert_eq!(body.get("text").unwrap(), "FIRING queue_depth: 300 calls wait for a model server");
    assert_eq!((body.get("alert").unwrap(), body.get("event").unwrap()), (&"queue_depth".into(), &"fired".into()));
    let line: serde_json::Value = serde_json::from_str(fs::read_to_string(&log).unwrap().trim_end()).unwrap();
    assert_eq!(line, body);
    assert_eq!(fs::read_to_string(folder.path().join("told")).unwrap(), "queue_depth|fired|");
}

#[tokio::test(start_paused = true)]
async fn a_failed_notice_is_tried_three_times_and_then_lost() {
    let mut channels = Channels::start(vec![to("http://127.0.0.1:1/secret")]);
    channels.send(&message());
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(channels.report().await.unwrap());
    }
    assert!(told.iter().take(2).all(|text| text.ends_with("no connection; it is tried again")), "{told:?}");
    assert_eq!(told.last().unwrap(), "the channel webhook failed: no connection; the notice is lost");
    assert!(!told.concat().contains("secret") && !told.concat().contains("127.0.0.1"));
    let status = channels.status();
    let status = status.first().unwrap();
    assert_eq!((status.sent, status.failed_attempts, status.lost), (0, 3, 1));
}

#[tokio::test]
async fn a_channel_that_is_too_far_behind_loses_notices_and_says_so() {
    let (hangs, asked) = webhook(None);
    let mut channels = Channels::start(vec![to(&hangs)]);
    channels.send(&message());
    // The first is being sent; the others wait.
    while asked.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    for _ in 0..MOST_WAITING {
        assert_eq!(channels.send(&message()), Vec::<String>::new());
    }
    assert_eq!(channels.send(&message()), ["the channel webhook lost a notice: 32 notices wait already"]);
    assert_eq!(channels.status().first().unwrap().lost, 1);
}

#[tokio::test]
async fn a_program_that_does_not_end_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let script = "echo $$ >pid; exec sleep 600".to_owned();
    let program = super::command::Program::new(vec!["sh".into(), "-c".into(), script], folder.path()).unwrap();
    let error = program.run(&message(), std::time::Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error, "the program did not end in 1 s and was killed");
    let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists());
}

#[tokio::test]
async fn a_mail_server_without_starttls_gets_no_mail() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 mail ESMTP\r\n").unwrap();
        let mut heard = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while reader.read_line(&mut heard).is_ok_and(|bytes| bytes > 0) {
            if stream.write_all(b"250 mail\r\n").is_err() {
                break;
            }
        }
        heard
    });
    let channel = ChannelConfig::mail(&MailConfig {
        host: "127.0.0.1".into(),
        port: Some(port),
        tls: MailTls::Starttls,
        username: String::new(),
        password_file: None,
        from: "monitor@example.org".into(),
        to: vec!["ada@example.org".into()],
    });
    let error = channel.unwrap().send(&message()).await.unwrap_err();
    assert_eq!(error, "the mail server does not offer what the settings require (STARTTLS, sign-in)");
    let heard = server.join().unwrap();
    assert!(!heard.contains("MAIL FROM") && !heard.contains("queue_depth"), "{heard}");
}
