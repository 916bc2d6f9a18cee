//! What opens, what a bad key file says, and what a key's own limits do.

use super::{
    file::{hex, parse},
    *,
};

#[test]
fn a_key_opens_and_another_does_not() {
    let (key, other) = (new_key().unwrap(), new_key().unwrap());
    assert_ne!(key, other);
    let line = line_for("frontend", &key).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("# clients\n{line}\n\n")).unwrap();
    let keys = Keys::read(file.path(), None).unwrap();
    assert_eq!(keys.principal(key.as_bytes(), Channel::Header).unwrap().name(), "frontend");
    for wrong in [other.as_bytes(), b"", key.as_bytes().get(1..).unwrap(), line.as_bytes()] {
        assert_eq!(keys.principal(wrong, Channel::Header), None);
    }
    // A new file counts after a reload; one that cannot be read changes nothing.
    std::fs::write(file.path(), line_for("other", &other).unwrap()).unwrap();
    assert!(keys.principal(key.as_bytes(), Channel::Header).is_some());
    assert_eq!(keys.reload().unwrap(), 1);
    assert!(
        keys.principal(key.as_bytes(), Channel::Header).is_none()
            && keys.principal(other.as_bytes(), Channel::Header).is_some()
    );
    std::fs::write(file.path(), "").unwrap();
    assert!(keys.reload().is_err() && keys.principal(other.as_bytes(), Channel::Header).is_some());
    assert!(!format!("{keys:?}").contains("other"));
}

#[test]
fn bad_files_are_named_by_line_and_never_quoted() {
    let good = hex(&[7; DIGEST]);
    for (text, said) in [
        ("SECRET", "line 1: not"),
        ("a SECRET", "line 1: the digest"),
        (&format!("# x\n\nSE/CRET {good}"), "line 3: the name"),
        (&format!("a {good}\na {good}"), "line 2: the name stands twice"),
        (&format!("a {}", "é".repeat(32)), "line 1: the digest"),
        ("# nothing\n", "no key"),
        (&format!("a {good} SECRET"), "line 1: after"),
        (&format!("a {good} rate=SECRET"), "line 1: rate"),
        (&format!("a {good} at_once=0"), "line 1: at_once"),
    ] {
        let error = parse(text, None).err().unwrap().to_string();
        assert!(error.contains(said) && !error.contains("SECRET"), "{error}");
    }
    for (name, key) in [("a b", "x".repeat(40)), ("a", "short".to_owned()), ("a", "x y".repeat(20))] {
        assert!(line_for(name, &key).is_err());
    }
}

#[test]
fn a_keys_own_limits_and_its_place() {
    let digest = |key: &str| line_for("x", key).unwrap().split_once(' ').unwrap().1.to_owned();
    let (page, study) = ("k".repeat(32), "l".repeat(32));
    let lines = format!("page {} path\nstudy {} rate=1/h at_once=1\n", digest(&page), digest(&study));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    let keys = Keys::read(file.path(), Some("2/h".parse().unwrap())).unwrap();
    let of = |key: &str, channel| keys.principal(key.as_bytes(), channel);
    assert!(of(&page, Channel::Path).is_some() && of(&study, Channel::Path).is_none());
    let (page, study) = (of(&page, Channel::Header).unwrap(), of(&study, Channel::Header).unwrap());
    let rates = crate::rates::Rates::default();
    let ask = |who: &Principal| rates.admit(Some(who), None);
    let first = ask(&study).unwrap();
    assert_eq!(ask(&study).unwrap_err().standing.scope.name(), "concurrency");
    drop(first);
    assert_eq!(ask(&study).unwrap_err().standing.scope.name(), "key");
    assert!(ask(&page).is_ok() && ask(&page).is_ok() && ask(&page).is_err());
    // Another look at the same file gives nobody a new allowance; another limit does.
    keys.reload().unwrap();
    let again = keys.principal("l".repeat(32).as_bytes(), Channel::Header).unwrap();
    assert!(ask(&again).is_err());
    let text = std::fs::read_to_string(file.path()).unwrap().replace("rate=1/h", "rate=2/h");
    std::fs::write(file.path(), text).unwrap();
    keys.reload().unwrap();
    assert!(ask(&keys.principal("l".repeat(32).as_bytes(), Channel::Header).unwrap()).is_ok());
}
