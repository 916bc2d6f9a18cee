//! Tests of the audit: written lines, a full disk, and the HMAC of notes.

use super::*;

fn entry() -> AuditEntry {
    AuditEntry {
        time: "2026-01-01T00:00:00Z".to_owned(),
        request_id: Arc::from("id"),
        principal: Some("page".to_owned()),
        route: "/api/v1/extract",
        status: 200,
        code: "ok",
        body_bytes: 20,
        note_chars: 10,
        has_note: true,
        note_hmac: None,
        engine: Some("rules"),
        model: None,
        prompt: None,
        fields: vec![Field::CancerType, Field::Stage],
        degraded: false,
        cached: false,
        tokens: 0,
        milliseconds: 1,
        engine_milliseconds: 1,
    }
}

fn at(path: PathBuf) -> AuditSettings {
    AuditSettings { path: Some(path), ..AuditSettings::default() }
}

#[test]
fn lines_are_written_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let audit = Audit::open(&at(path.clone())).unwrap().unwrap();
    for _ in 0..3 {
        audit.record(entry(), None);
    }
    assert_eq!(audit.close(), 0);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["fields"]), (3, &serde_json::json!(["cancer_type", "stage"])));
    assert_eq!(audit.state(), AuditState { written: 3, lost: 0, failing: false });
    // A line after `close` is lost and counted.
    audit.record(entry(), None);
    assert_eq!(audit.state().lost, 1);
}

#[test]
fn a_line_that_a_full_disk_refuses_is_counted() {
    let audit = Audit::open(&at("/dev/full".into())).unwrap().unwrap();
    audit.record(entry(), None);
    assert_eq!(audit.close(), 1);
    assert_eq!(audit.state(), AuditState { written: 0, lost: 1, failing: true });
}

#[test]
fn equal_notes_have_equal_hmacs_only_with_the_same_secret() {
    let folder = tempfile::tempdir().unwrap();
    let open = |secret: Option<&str>| {
        let key_file = secret.map(|secret| {
            let path = folder.path().join("secret");
            std::fs::write(&path, secret).unwrap();
            path
        });
        Audit::open(&AuditSettings { key_file, ..at(folder.path().join("audit.jsonl")) })
    };
    let one = open(Some("0123456789abcdef\n")).unwrap().unwrap().hmac("a note");
    assert_eq!(one, open(Some("0123456789abcdef")).unwrap().unwrap().hmac("a note"));
    assert_ne!(one, open(Some("0123456789abcdeg")).unwrap().unwrap().hmac("a note"));
    assert_ne!(open(None).unwrap().unwrap().hmac("a note"), open(None).unwrap().unwrap().hmac("a note"));
    assert!(matches!(open(Some("short")), Err(AuditError::WeakSecret)));
    assert!(Audit::open(&AuditSettings::default()).unwrap().is_none());
    assert!(matches!(Audit::open(&at("/nowhere/at/all".into())), Err(AuditError::Unwritable { .. })));
}
