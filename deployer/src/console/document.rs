//! Writes JSON for programs: events while a command runs, and its result as one document at the end.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Console, say_raw, timestamp};
use crate::{exit::Exit, failure::Failure};

/// Writes an event: a line of JSON on standard error with `time`, `event` and the event's fields.
pub(super) fn event(event: &str, fields: Value) {
    let mut line = json!({"time": timestamp(), "event": event});
    if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
        line.extend(fields);
    }
    say_raw(&format!("{line}\n"));
}

impl Console {
    /// Adds fields to the JSON document: the same data that the text shows. Each call adds more fields.
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
            // Serialization fails only for maps whose keys are not strings, and there are none.
            Err(error) => {
                document.insert("result".to_owned(), error.to_string().into());
            }
        }
    }

    /// Ends a command: writes the failure, if any, and the JSON document.
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
            whole.insert("next".to_owned(), self.next_step.borrow().clone().into());
            // The fields above mean the same for every command, so no result may replace them.
            for (name, value) in self.document.take() {
                whole.entry(name).or_insert(value);
            }
        }
        let text = serde_json::to_string_pretty(&whole).unwrap_or_else(|_| whole.to_string());
        let _ = writeln!(io::stdout(), "{text}");
    }
}
