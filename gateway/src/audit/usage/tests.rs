//! Tests of the sums of audit files.

use std::{io::Write, sync::Arc};

use super::*;
use crate::audit::AuditEntry;

fn file(lines: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    file
}

fn usage(lines: &str) -> Result<Usage, UsageError> {
    let mut usage = Usage::default();
    usage.add_file(file(lines).path())?;
    Ok(usage)
}

/// A line as the gateway writes it.
fn line(month: &str, key: Option<&str>, status: u16, engine_milliseconds: u64) -> String {
    let entry = AuditEntry {
        time: format!("{month}-05T10:00:00.000Z"),
        request_id: Arc::from("r"),
        principal: key.map(str::to_owned),
        route: "/api/v1/extract",
        status,
        code: "ok",
        body_bytes: 200,
        note_chars: 100,
        has_note: true,
        note_hmac: None,
        engine: Some("vllm"),
        model: None,
        prompt: None,
        fields: Vec::new(),
        degraded: false,
        cached: engine_milliseconds == 0,
        tokens: 30,
        milliseconds: engine_milliseconds + 5,
        engine_milliseconds,
    };
    serde_json::to_string(&entry).unwrap() + "\n"
}

#[test]
fn lines_are_added_up_by_month_and_key() {
    let lines = [
        line("2026-10", Some("trial"), 200, 400),
        line("2026-11", Some("trial"), 200, 1_000),
        line("2026-11", Some("trial"), 503, 0),
        line("2026-11", Some("registry"), 200, 3_000),
        line("2026-11", Some("registry"), 200, 2_000).replace("/api/v1/extract", "/api/v1/ask/stream"),
        line("2026-11", None, 200, 0),
    ]
    .concat();
    let report = usage(&lines).unwrap().report(None, None, None);
    let expected = "\
month    key       notes  questions  answered  failed  cached  characters  tokens  engine_seconds
2026-10  trial         1          0         1       0       0         100      30             0.4
2026-11  -             1          0         1       0       1         100      30             0.0
2026-11  registry      2          1         2       0       0         200      60             5.0
2026-11  trial         2          0         1       1       1         200      60             1.0";
    assert_eq!(report.table(), expected);
    assert_eq!((report.lines, report.unreadable, report.untimed), (6, 0, 0));
}

#[test]
fn a_month_s_cost_is_shared_by_engine_time() {
    let lines = [
        line("2026-10", Some("trial"), 200, 0),
        line("2026-10", Some("trial"), 200, 0),
        line("2026-10", Some("registry"), 200, 0),
        line("2026-11", Some("trial"), 200, 1_000),
        line("2026-11", Some("registry"), 200, 3_000),
    ]
    .concat();
    let usage = usage(&lines).unwrap();
    let costs = |key: &str| -> Vec<f64> {
        usage.report(None, Some(key), Some(90.0)).rows.iter().filter_map(|row| row.cost).collect()
    };
    // No engine time is known for October, so its cost is shared by notes. A filter does not change the shares.
    assert_eq!(costs("trial"), [60.0, 22.5]);
    assert_eq!(costs("registry"), [30.0, 67.5]);
    assert_eq!(usage.report(Some("2026-11"), None, Some(90.0)).rows.len(), 2);
    let csv = usage.report(Some("2026-11"), Some("trial"), Some(90.0)).csv().unwrap();
    assert_eq!(csv.lines().nth(1), Some("2026-11,trial,1,0,1,0,0,100,30,1.0,22.50"));
}

#[test]
fn lines_that_are_not_whole_are_counted_and_passed_over() {
    let whole = line("2026-11", Some("trial"), 200, 10);
    let cut: String = whole.chars().take(40).collect();
    let old = r#"{"time":"2026-11-01T00:00:00Z","status":200,"code":"ok","note_chars":7}"#;
    let bad_month = whole.replace("2026-11-05", "2026-13-05");
    let long = format!("{}{{\"time\":\"{}\"}}\n", whole, "x".repeat(100_000));
    let usage = usage(&format!("{whole}{cut}\n\n{old}\n{bad_month}{long}{whole}")).unwrap();
    assert_eq!((usage.lines, usage.unreadable, usage.untimed), (7, 3, 1));
    let report = usage.report(None, Some("trial"), None);
    assert_eq!(report.rows.first().map(|row| row.notes), Some(3));
}

/// A recording or scan has no characters, and lines of earlier versions do not show whether there was a note.
#[test]
fn what_its_caller_left_counts_if_it_had_arrived() {
    let left = line("2026-11", Some("trial"), 499, 10);
    let without = |text: &str, part: &str| text.replace(part, "");
    let scan = left.replace("\"note_chars\":100", "\"note_chars\":0");
    for (line, counted) in [
        (left.clone(), 1),
        (scan.clone(), 1),
        (scan.replace("\"has_note\":true", "\"has_note\":false"), 0),
        (without(&left, "\"has_note\":true,"), 1),
        (without(&scan, "\"has_note\":true,"), 0),
        (scan.replace("\"status\":499", "\"status\":503"), 0),
    ] {
        let usage = usage(&line).unwrap();
        let used = usage.of(&("2026-11".to_owned(), "trial".to_owned())).unwrap();
        assert_eq!((used.notes, used.counted), (1, counted), "{line}");
    }
}

#[test]
fn another_file_is_refused_and_an_empty_one_is_not() {
    assert!(matches!(usage("Dear Sir,\nthe patient\n"), Err(UsageError::NoAudit { .. })));
    assert!(usage("").unwrap().report(None, None, None).rows.is_empty());
    let missing = Usage::default().add_file(Path::new("/nowhere/audit.jsonl"));
    assert!(matches!(missing, Err(UsageError::Unreadable { .. })));
}

#[test]
fn older_files_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    for name in ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.4"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let names: Vec<String> =
        with_older(&path).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["audit.jsonl.2", "audit.jsonl.1", "audit.jsonl"]);
}

#[test]
fn months() {
    for (text, expected) in [("2026-11", true), ("2026-00", false), ("2026-13", false), ("26-11", false), ("", false)] {
        assert_eq!(is_month(text), expected, "{text}");
    }
}
