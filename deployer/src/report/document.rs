//! What a program reads: events while a command works, and its result as one document at the end.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Report, say_raw, timestamp};
use crate::{exit::Exit, failure::Failure};

/// A line of JSON on standard error: `time`, `event`, and what belongs to it.
pub(super) fn event(event: &str, fields: Value) {
    let mut line = json!({"time": timestamp(), "event": event});
    if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
        line.extend(fields);
    }
    say_raw(&format!("{line}\n"));
}

impl Report {
    /// Fields of the document, by which a program reads what a person reads as text. Called again, it adds more.
    pub fn result(&self, fields: &impl Serialize) {
        if !self.is_json() {
            return;
        }
        let mut document = self.document.borrow_mut();
        match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) => document.extend(fields),
            Ok(other) => {
                document.insert("result".to_owned(), other);
            }
            // Every map of ours has texts as its keys.
            Err(error) => {
                document.insert("result".to_owned(), error.to_string().into());
            }
        }
    }

    /// The end of a command: why it failed, if it did; and the document.
    pub fn end(&self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            self.failure(failure);
        }
        if !self.is_json() {
            return;
        }
        let exit = failure.map_or(Exit::Done, |failure| failure.exit);
        let mut whole = json!({"ok": failure.is_none(), "exit": exit.code(), "code": exit});
        if let Some(whole) = whole.as_object_mut() {
            if let Some(failure) = failure {
                whole.insert("what".to_owned(), failure.what.clone().into());
                whole.insert("failed_step".to_owned(), failure.step.map(|step| step.to_string()).into());
                whole.insert("lines".to_owned(), failure.lines.clone().into());
            }
            whole.insert("next".to_owned(), self.said_next.borrow().clone().into());
            // The fields above mean the same for every command: no result takes their names.
            for (name, value) in self.document.take() {
                whole.entry(name).or_insert(value);
            }
        }
        let text = serde_json::to_string_pretty(&whole).unwrap_or_else(|_| whole.to_string());
        let _ = writeln!(io::stdout(), "{text}");
    }
}
