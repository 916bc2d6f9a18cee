//! Tests of the ledger: budgets under a race, over a restart and over the end of a month, and what is forgotten.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::*;
use crate::audit::{Audit, AuditEntry};
use crate::config::AuditSettings;

fn at(time: &str) -> SystemTime {
    humantime::parse_rfc3339(time).unwrap()
}

fn entry(time: SystemTime, key: &str, status: u16, has_note: bool) -> AuditEntry {
    AuditEntry {
        time: format_time(time),
        request_id: Arc::from("r"),
        principal: Some(key.to_owned()),
        route: "/api/v1/extract",
        status,
        code: "ok",
        body_bytes: 20,
        note_chars: 9,
        has_note,
        note_hmac: None,
        engine: Some("vllm"),
        model: None,
        prompt: None,
        fields: Vec::new(),
        degraded: false,
        cached: false,
        tokens: 30,
        milliseconds: 2,
        engine_milliseconds: 1,
    }
}

/// Reserves a note within a budget of notes.
fn reserve(ledger: &Arc<Ledger>, key: &str, notes: u64, arrived: SystemTime) -> Option<BudgetHold> {
    ledger.reserve(key, Budget { notes: Some(notes), tokens: None }, arrived).ok()
}

fn used(ledger: &Ledger, key: &str) -> (u64, u64) {
    let BudgetUse { used, in_flight } = ledger.budget_use(key);
    (used, in_flight)
}

#[test]
fn a_budget_counts_read_notes_and_gives_others_back() {
    let (ledger, now) = (Arc::new(Ledger::default()), SystemTime::now());
    for (status, has_note, counts) in
        [(200, true, true), (499, true, true), (499, false, false), (503, true, false), (422, false, false)]
    {
        let before = used(&ledger, "a").0;
        let reservation = reserve(&ledger, "a", 100, now).unwrap();
        assert_eq!(used(&ledger, "a"), (before, 1));
        ledger.add(&entry(now, "a", status, has_note), Some(reservation));
        assert_eq!(used(&ledger, "a"), (before + u64::from(counts), 0), "{status} {has_note}");
    }
    drop(reserve(&ledger, "a", 100, now).unwrap());
    assert_eq!(used(&ledger, "a"), (2, 0));
    let last = reserve(&ledger, "a", 3, now).unwrap();
    assert!(reserve(&ledger, "a", 3, now).is_none() && reserve(&ledger, "b", 3, now).is_some());
    drop(last);
    assert!(reserve(&ledger, "a", 3, now).is_some());
    assert!(ledger.sums().reserved.is_empty(), "what is given back occupies no memory");
}

#[test]
fn a_race_never_exceeds_a_budget() {
    const BUDGET: u64 = 500;
    let (ledger, now, read) = (Arc::new(Ledger::default()), SystemTime::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (ledger, read) = (&ledger, &read);
            scope.spawn(move || {
                for turn in 0..2_000_u64 {
                    let Some(reservation) = reserve(ledger, "a", BUDGET, now) else { continue };
                    let status = if (turn + thread) % 3 == 0 { 503 } else { 200 };
                    read.fetch_add(u64::from(status == 200), Relaxed);
                    ledger.add(&entry(now, "a", status, true), Some(reservation));
                }
            });
        }
    });
    assert_eq!((read.into_inner(), used(&ledger, "a")), (BUDGET, (BUDGET, 0)));
}

#[test]
fn a_budget_of_tokens_counts_estimates_until_the_real_tokens_are_known() {
    let (ledger, now) = (Arc::new(Ledger::default()), SystemTime::now());
    let tokens = |tokens| Budget { notes: None, tokens: Some(tokens) };
    let used = || {
        let BudgetUse { used, in_flight } = ledger.token_use("a");
        (used, in_flight)
    };
    let mut first = ledger.reserve("a", tokens(100), now).unwrap();
    first.expect_tokens(70);
    first.expect_tokens(60);
    let mut second = ledger.reserve("a", tokens(100), now).unwrap();
    second.expect_tokens(40);
    assert_eq!((used(), ledger.reserve("a", tokens(100), now).err()), ((0, 100), Some(Exhausted::Tokens)));
    assert_eq!(
        (ledger.exhausted("a", tokens(100)), ledger.exhausted("a", tokens(101))),
        (Some(Exhausted::Tokens), None)
    );
    // Each entry has 30 tokens.
    ledger.add(&entry(now, "a", 200, true), Some(first));
    assert_eq!(used(), (30, 40));
    drop(second);
    assert_eq!(used(), (30, 0));
    ledger.add(&entry(now, "a", 200, true), None);
    assert_eq!(ledger.reserve("a", tokens(60), now).err(), Some(Exhausted::Tokens));
    let both = Budget { notes: Some(2), tokens: Some(61) };
    assert_eq!(ledger.reserve("a", both, now).err(), Some(Exhausted::Notes));
    assert!(ledger.reserve("a", tokens(61), now).is_ok() && ledger.reserve("b", tokens(1), now).is_ok());
    assert!(ledger.sums().reserved.is_empty(), "what is given back occupies no memory");
}

#[test]
fn a_new_month_has_its_whole_budget() {
    let ledger = Arc::new(Ledger::default());
    let (october, november) = (at("2026-10-31T23:59:59.999Z"), at("2026-11-01T00:00:00Z"));
    let running = reserve(&ledger, "a", 1, october).unwrap();
    assert!(reserve(&ledger, "a", 1, october).is_none());
    let next = reserve(&ledger, "a", 1, november).unwrap();
    // The month of a note is that of its arrival, as in its line of the audit.
    ledger.add(&entry(october, "a", 200, true), Some(running));
    assert!(reserve(&ledger, "a", 1, november).is_none());
    drop(next);
    assert!(reserve(&ledger, "a", 1, october).is_none() && reserve(&ledger, "a", 1, november).is_some());
    for (time, end) in [
        ("2026-11-29T12:00:00Z", "2026-12-01T00:00:00Z"),
        ("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ("2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
    ] {
        assert_eq!(end_of_month(at(time)), at(end));
    }
}

#[test]
fn a_restart_counts_the_lines_of_the_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let settings = AuditSettings { path: Some(path.clone()), ..AuditSettings::default() };
    let now = SystemTime::now();
    for run in 0..3 {
        let audit = Audit::open(&settings).unwrap().unwrap();
        assert_eq!(used(audit.ledger(), "a"), (run * 2, 0));
        assert!(audit.ledger().is_complete());
        for status in [200, 503, 200] {
            let reservation = reserve(audit.ledger(), "a", 6, now);
            audit.record(entry(now, "a", status, true), reservation);
        }
        assert_eq!(audit.close(), 0);
    }
    // A run that was killed in the middle of a line.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"time\":\"2026-")).unwrap();
    let audit = Audit::open(&settings).unwrap().unwrap();
    assert!(reserve(audit.ledger(), "a", 6, now).is_none() && reserve(audit.ledger(), "a", 7, now).is_some());
}

#[test]
fn lines_that_rotation_has_removed_are_not_passed_over_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit.jsonl"), folder.path().join("audit.jsonl.1"));
    let line = |time: SystemTime| serde_json::to_string(&entry(time, "a", 200, true)).unwrap() + "\n";
    let now = SystemTime::now();
    let earlier = now.checked_sub(Duration::from_hours(24 * 40)).unwrap();
    std::fs::write(&path, line(now)).unwrap();
    assert!(Ledger::restore(&path, 1).unwrap().is_complete());
    std::fs::write(&old, line(earlier)).unwrap();
    let whole = Ledger::restore(&path, 1).unwrap();
    assert_eq!((whole.is_complete(), used(&whole, "a")), (true, (1, 0)));
    std::fs::write(&old, line(now)).unwrap();
    let cut = Ledger::restore(&path, 1).unwrap();
    assert_eq!((cut.is_complete(), used(&cut, "a")), (false, (2, 0)));
    assert!(!Ledger::restore(Path::new("/dev/null"), 5).unwrap().is_complete());
}

#[test]
fn old_months_are_forgotten() {
    let ledger = Ledger::default();
    for year in 2000..2030 {
        for month in 1..=12 {
            ledger.add(&entry(at(&format!("{year}-{month:02}-02T00:00:00Z")), "a", 200, true), None);
        }
    }
    let rows = ledger.report(None, None, None).rows;
    let months: Vec<&str> = rows.iter().map(|row| row.month.as_str()).collect();
    assert_eq!((months.len(), months[0], months[23]), (24, "2028-01", "2029-12"));
    let mut usage = Usage::default();
    for key in 0..=MOST_ROWS {
        let month = if key % 2 == 0 { "2026-10-02T00:00:00Z" } else { "2026-11-02T00:00:00Z" };
        usage.add_entry(&entry(at(month), &key.to_string(), 200, true));
    }
    forget_old_months(&mut usage, "2026-11");
    assert_eq!((usage.first_month(), usage.rows()), (Some("2026-11"), MOST_ROWS / 2));
}

#[test]
fn format_time_clamps_the_time_of_a_wrong_clock() {
    let epoch = SystemTime::UNIX_EPOCH;
    for (time, expected) in [
        (epoch.checked_sub(Duration::from_hours(24 * 365 * 3)), "1970-01-01T00:00:00.000Z"),
        (epoch.checked_sub(Duration::from_millis(1)), "1970-01-01T00:00:00.000Z"),
        (epoch.checked_add(Duration::from_millis(1_500)), "1970-01-01T00:00:01.500Z"),
        (epoch.checked_add(Duration::from_hours(24 * 365 * 9_000)), "9999-12-31T23:59:59.000Z"),
    ] {
        assert_eq!(format_time(time.unwrap()), expected);
    }
}
