//! The ids that the tools of an output format take. A note with another id is a failed note, before an engine reads it: an
//! id that is changed would no longer name the patient's row in the tool.

use std::collections::HashSet;

use super::{
    OutputFormat,
    ids::Fingerprint,
    outcome::{Fault, QueuedNote},
    output::RedcapLayout,
};

/// The most characters of a sample's id in `cBioPortal`.
const MAX_SAMPLE_ID: usize = 63;

/// Checks the ids of the notes of a run.
#[derive(Debug, Default)]
pub(super) struct ToolIds {
    kind: IdKind,
    seen: HashSet<Fingerprint>,
}

#[derive(Debug, Default)]
enum IdKind {
    #[default]
    Any,
    /// `NOTE_NLP`: a whole number that fits the table's key.
    WholeNumber,
    /// `cBioPortal`: letters, digits, points, hyphens and underscores.
    Sample,
    /// `REDCap`: no two rows of one record, event and instance.
    Record(RedcapLayout),
}

impl ToolIds {
    /// Returns the check for a format.
    pub(super) fn new(format: OutputFormat, redcap: &RedcapLayout) -> Self {
        let kind = match format {
            OutputFormat::NoteNlp => IdKind::WholeNumber,
            OutputFormat::Cbioportal => IdKind::Sample,
            OutputFormat::Redcap => IdKind::Record(redcap.clone()),
            _ => IdKind::Any,
        };
        Self { kind, seen: HashSet::new() }
    }

    /// Returns why the tool does not take the id of a note; `None` if it does.
    pub(super) fn refusal(&mut self, note: &QueuedNote) -> Option<Fault> {
        let patient = note.origin.patient.as_deref();
        match &self.kind {
            IdKind::Any => None,
            IdKind::WholeNumber if is_whole_number(&note.id) => None,
            IdKind::WholeNumber => Some(Fault::id(
                "whole_number",
                "NOTE_NLP needs the number of the note in the table NOTE. Name the column that has it with --id-column.",
            )),
            IdKind::Sample if note.id.len() > MAX_SAMPLE_ID => Some(Fault::id(
                "sample_id",
                "cBioPortal takes sample ids of at most 63 characters. Name a column with such ids with --id-column.",
            )),
            IdKind::Sample if !is_sample_id(&note.id) || patient.is_some_and(|patient| !is_sample_id(patient)) => {
                Some(Fault::id(
                    "sample_id",
                    "cBioPortal takes ids of letters, digits, points, hyphens and underscores only. Name a column with such ids with --id-column and --patient-column.",
                ))
            }
            IdKind::Sample if self.seen.insert(Fingerprint::of(&note.id)) => None,
            IdKind::Sample => Some(Fault::id(
                "unique",
                "A note of another patient has the same id; in cBioPortal an id names one sample of the whole study.",
            )),
            IdKind::Record(layout) => {
                let key = layout.key(patient.unwrap_or(&note.id), &note.carried)?;
                let fault = || {
                    Fault::id(
                        "unique",
                        "An earlier note has the same record, event and instance; REDCap would keep one of them only. Carry redcap_repeat_instance with --keep, or leave it out together with --patient-column, so that the notes are numbered.",
                    )
                };
                (!self.seen.insert(Fingerprint::of(&key.join("\0")))).then(fault)
            }
        }
    }
}

fn is_whole_number(id: &str) -> bool {
    id.parse::<i64>().is_ok_and(|number| number >= 0 && number.to_string() == id)
}

fn is_sample_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    // `NA` is a missing value there.
    !id.is_empty() && id.bytes().all(allowed) && !id.eq_ignore_ascii_case("na")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_a_tool_would_not_take_are_told_apart() {
        for (id, number, sample) in [
            ("12", true, true),
            ("0", true, true),
            ("012", false, true),
            ("-3", false, true),
            ("+3", false, false),
            ("9223372036854775808", false, true),
            ("P-1.a_2", false, true),
            ("NA", false, false),
            ("a b", false, false),
            ("ward/1.txt", false, false),
            ("ü", false, false),
            ("", false, false),
        ] {
            assert_eq!((is_whole_number(id), is_sample_id(id)), (number, sample), "{id}");
        }
    }
}
