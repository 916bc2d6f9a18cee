//! Which keys open the service, the errors of bad key files, and the limits of a key.

use std::{fs, os::unix::fs::PermissionsExt};

use futures_util::FutureExt;

use super::{file::parse, *};

#[tokio::test]
async fn a_key_of_the_file_opens_and_another_does_not() {
    let (key, other) = (new_key().unwrap(), new_key().unwrap());
    assert_ne!(key, other);
    let line = line_for("frontend", &key).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("# clients\n{line}\n\n")).unwrap();
    let keys = Keys::read(file.path(), KeyFileRules::default()).unwrap();
    assert_eq!(keys.principal(key.as_bytes(), Channel::Header).unwrap().name(), "frontend");
    for wrong in [other.as_bytes(), b"", key.as_bytes().get(1..).unwrap(), line.as_bytes()] {
        assert_eq!(keys.principal(wrong, Channel::Header), None);
    }
    // A new file takes effect after a reload. A file that is not valid changes nothing.
    std::fs::write(file.path(), line_for("other", &other).unwrap()).unwrap();
    assert!(keys.principal(key.as_bytes(), Channel::Header).is_some());
    assert_eq!(keys.reload().await.unwrap(), 1);
    assert!(
        keys.principal(key.as_bytes(), Channel::Header).is_none()
            && keys.principal(other.as_bytes(), Channel::Header).is_some()
    );
    std::fs::write(file.path(), "").unwrap();
    assert!(keys.reload().await.is_err() && keys.principal(other.as_bytes(), Channel::Header).is_some());
    assert!(!format!("{keys:?}").contains("other"));
}

#[test]
fn errors_of_a_key_file_name_the_line_and_never_quote_it() {
    let good = hex::encode([7; DIGEST]);
    for (text, expected) in [
        ("SECRET", "line 1: not"),
        ("a SECRET", "line 1: the digest"),
        (&format!("# x\n\nSE/CRET {good}"), "line 3: the name"),
        (&format!("a {good}\na {good}"), "line 2: an earlier line has the same name"),
        (&format!("a {good}\nb {good}"), "line 2: an earlier line has the same key"),
        (&format!("a {}", "é".repeat(32)), "line 1: the digest"),
        ("# nothing\n", "no key"),
        (&format!("a {good} SECRET"), "line 1: after"),
        (&format!("a {good} rate=SECRET"), "line 1: rate"),
        (&format!("a {good} at_once=0"), "line 1: at_once"),
        (&format!("a {good} scopes=SECRET"), "line 1: scopes="),
        (&format!("a {good} scopes=extract metrics"), "line 1: the scopes are given twice"),
        (&format!("a {good} budget=0/month"), "line 1: budget= is not a budget"),
        (&format!("a {good} budget=SECRET"), "line 1: budget= is not a budget"),
        (&format!("a {good} budget=5/month"), "line 1: budget= needs an audit file"),
        (&format!("a {good} token_budget=5"), "line 1: token_budget= is not a budget"),
        (&format!("a {good} token_budget=5/month"), "line 1: budget= needs an audit file"),
    ] {
        let error = parse(text, KeyFileRules::default()).err().unwrap().to_string();
        assert!(error.contains(expected) && !error.contains("SECRET"), "{error}");
    }
    for (name, key) in [("a b", "x".repeat(40)), ("a", "short".to_owned()), ("a", "x y".repeat(20))] {
        assert!(line_for(name, &key).is_err());
    }
}

#[tokio::test]
async fn a_key_has_its_own_limits_and_channels() {
    let digest = |key: &str| line_for("x", key).unwrap().split_once(' ').unwrap().1.to_owned();
    let (page, study) = ("k".repeat(32), "l".repeat(32));
    let lines = format!("page {} path\nstudy {} rate=1/h at_once=1\n", digest(&page), digest(&study));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    let keys =
        Keys::read(file.path(), KeyFileRules { default_rate: "2/h".parse().ok(), ..KeyFileRules::default() }).unwrap();
    let of = |key: &str, channel| keys.principal(key.as_bytes(), channel);
    assert!(of(&page, Channel::Path).is_some() && of(&study, Channel::Path).is_none());
    let (page, study) = (of(&page, Channel::Header).unwrap(), of(&study, Channel::Header).unwrap());
    let rates = crate::rate_limits::RateLimits::default();
    let admit = |principal: &Principal| rates.admit(Some(principal), None);
    let first = admit(&study).unwrap();
    assert_eq!(admit(&study).unwrap_err().rate_limit.scope.name(), "concurrency");
    drop(first);
    assert_eq!(admit(&study).unwrap_err().rate_limit.scope.name(), "key");
    assert!(admit(&page).is_ok() && admit(&page).is_ok() && admit(&page).is_err());
    // A reload of the same file resets no limit.
    keys.reload().await.unwrap();
    let reloaded = keys.principal("l".repeat(32).as_bytes(), Channel::Header).unwrap();
    assert!(admit(&reloaded).is_err());
    let reload_with = async |from: &str, to: &str| {
        let text = fs::read_to_string(file.path()).unwrap().replace(from, to);
        fs::write(file.path(), text).unwrap();
        keys.reload().await.unwrap();
        keys.principal("l".repeat(32).as_bytes(), Channel::Header).unwrap()
    };
    // A changed limit does not reset it either: earlier notes and notes in flight still count.
    assert!(admit(&reload_with("at_once=1", "at_once=2").await).is_err());
    let higher = reload_with("rate=1/h", "rate=3/h").await;
    let (first, second) = (admit(&higher).unwrap(), admit(&higher).unwrap());
    let fewer = reload_with("rate=3/h at_once=2", "rate=9/h at_once=1").await;
    let refusing_limit = |principal: &Principal| admit(principal).unwrap_err().rate_limit.scope.name();
    assert_eq!(refusing_limit(&fewer), "concurrency");
    drop(first);
    assert_eq!(refusing_limit(&fewer), "concurrency");
    drop(second);
    let left = (0..9).take_while(|_| admit(&fewer).is_ok()).count();
    assert_eq!(left, 6, "three of the nine notes were used before");
}

#[tokio::test]
async fn a_file_that_every_user_may_write_or_that_is_not_regular_is_refused() {
    type Spoil<'a> = &'a dyn Fn();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let key = "k".repeat(32);
    let good = || {
        let _ = fs::remove_file(&path);
        fs::write(&path, line_for("page", &key).unwrap()).unwrap();
    };
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    good();
    mode(0o664);
    let keys = Keys::read(&path, KeyFileRules::default()).unwrap();
    let spoiled: [(Spoil<'_>, &str); 4] = [
        (&|| mode(0o666), "chmod o-w"),
        (
            &|| {
                fs::remove_file(&path).unwrap();
                files::tests::fifo(&path);
            },
            "not a regular file",
        ),
        (&|| fs::remove_file(&path).unwrap(), "No such file"),
        (&|| fs::write(&path, b"\xff").unwrap(), "UTF-8"),
    ];
    for (spoil, expected) in spoiled {
        good();
        spoil();
        let (at_start, at_reload) =
            (Keys::read(&path, KeyFileRules::default()).err().unwrap(), keys.reload().await.unwrap_err());
        for error in [at_start.to_string(), at_reload.to_string()] {
            assert!(error.contains(expected) && error.contains(path.to_str().unwrap()), "{error}");
        }
        assert!(keys.principal(key.as_bytes(), Channel::Header).is_some(), "{expected}: the old keys remain valid");
    }
}

#[tokio::test]
async fn a_file_of_100_000_keys_is_read_within_the_limit() {
    let line = |at: u32| format!("client-{at} {}\n", hex::encode(Sha256::digest(at.to_be_bytes())));
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut text: String = (0..100_000).map(line).collect();
    fs::write(file.path(), &text).unwrap();
    // Comparing each line with all earlier lines would take minutes; `files::READ_WITHIN` is seconds.
    let keys = Keys::read(file.path(), KeyFileRules::default()).unwrap();
    assert_eq!(keys.reload().await.unwrap(), 100_000);
    text.push_str(&line(7).replace("client-7 ", "another "));
    fs::write(file.path(), &text).unwrap();
    let error = keys.reload().await.unwrap_err().to_string();
    assert!(error.contains("line 100001: an earlier line has the same key"), "{error}");
}

#[tokio::test]
async fn removing_a_key_ends_the_requests_of_that_key_only() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (removed, stays, changed, limited) = ("a".repeat(20), "b".repeat(20), "c".repeat(20), "d".repeat(20));
    let line = |name: &str, key: &str| line_for(name, key).unwrap();
    let write = |lines: &[String]| fs::write(file.path(), lines.join("\n")).unwrap();
    write(&[line("removed", &removed), line("stays", &stays), line("changed", &changed), line("limited", &limited)]);
    let keys = Keys::read(file.path(), KeyFileRules::default()).unwrap();
    let of = |key: &str| keys.principal(key.as_bytes(), Channel::Header).unwrap();
    let all = [of(&removed), of(&stays), of(&changed), of(&limited)];
    let ended = || all.each_ref().map(|principal| revoked(Some(principal)).now_or_never().is_some());
    keys.reload().await.unwrap();
    assert_eq!(ended(), [false; 4]);
    let limited = format!("{} rate=1/h", line("limited", &limited));
    write(&[line("stays", &stays), line("changed", &removed), limited]);
    keys.reload().await.unwrap();
    // The name `changed` has another key now, and its first key opens nothing.
    assert_eq!(ended(), [true, false, true, false]);
    // The same holds after a further reload.
    write(&[line("changed", &removed)]);
    keys.reload().await.unwrap();
    assert_eq!(ended(), [true; 4]);
    assert!(revoked(Some(&of(&removed))).now_or_never().is_none() && revoked(None).now_or_never().is_none());
}

#[tokio::test]
async fn a_key_that_loses_a_scope_ends_its_requests_and_one_that_gains_one_does_not() {
    let (file, key) = (tempfile::NamedTempFile::new().unwrap(), "k".repeat(32));
    let write = |words: &str| fs::write(file.path(), format!("{} {words}", line_for("a", &key).unwrap())).unwrap();
    write("scopes=extract");
    let keys = Keys::read(file.path(), KeyFileRules::default()).unwrap();
    let of = || keys.principal(key.as_bytes(), Channel::Header).unwrap();
    let has_ended = |principal: &Principal| revoked(Some(principal)).now_or_never().is_some();
    let first = of();
    write("scopes=extract,usage");
    keys.reload().await.unwrap();
    let second = of();
    assert!(!has_ended(&first) && second.may(Scope::Usage) && !first.may(Scope::Usage));
    write("metrics");
    keys.reload().await.unwrap();
    assert!(has_ended(&first) && has_ended(&second) && !has_ended(&of()));
    assert_eq!(of().scopes(), Scopes::only(Scope::Metrics));
}
