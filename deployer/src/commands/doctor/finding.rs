//! The findings of `doctor`: each says what was found, why it matters and how to fix it.

use serde::Serialize;
use serde_json::json;

use crate::{console::Console, failure::Failure};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    /// The operator should know it, but a deploy works.
    Note,
    /// A deploy would fail, or clients could not reach the service.
    Bad,
}

/// The finding of one check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Finding {
    check: String,
    level: Level,
    found: String,
    why: String,
    #[serde(rename = "mend")]
    fix: String,
}

/// The findings of all checks so far.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// Returns the number of findings that must be fixed.
    pub(super) fn bad(&self) -> usize {
        self.0.iter().filter(|finding| finding.level == Level::Bad).count()
    }

    pub(super) fn add(
        &mut self,
        check: &str,
        level: Level,
        found: impl Into<String>,
        why: &str,
        fix: impl Into<String>,
    ) {
        let (why, fix) = if level == Level::Ok { (String::new(), String::new()) } else { (why.to_owned(), fix.into()) };
        self.0.push(Finding { check: check.to_owned(), level, found: found.into(), why, fix });
    }

    pub(super) fn failed(&mut self, check: &str, why: &str, failure: Failure) {
        self.add(check, Level::Bad, failure.what, why, failure.next);
    }
}

pub(super) fn print(console: &Console, findings: &[Finding]) {
    console.result(&json!({"checks": findings}));
    for finding in findings {
        let mark = match finding.level {
            Level::Ok => "ok  ",
            Level::Note => "note",
            Level::Bad => "BAD ",
        };
        console.data(&format!("{mark} {:<14} {}", finding.check, finding.found));
        if finding.level != Level::Ok {
            console.data(&format!("                    why: {}", finding.why));
            console.data(&format!("                    fix: {}", finding.fix));
        }
    }
}
