//! The slow path: finds the record in whatever a model put around it. It never chooses between records
//! that differ.

use super::{
    Parsed, Record, RepairCode, Unusable,
    builder::Repairs,
    lines,
    object::{self, Found},
    thinking::{self, VisibleText},
};

/// Finds the records of a stretch of text, in order.
type Finder = fn(&str) -> Result<Vec<Found>, Unusable>;

/// Reads a record from a trimmed text.
pub(super) fn parse(text: &str) -> Result<Parsed, Unusable> {
    let said = thinking::leave_out(text)?;
    // Lines count only where there is no object: a pretty-printed object has lines, too.
    for find in [object::find as Finder, lines::find] {
        if let Some(parsed) = assemble(&said, find)? {
            return Ok(parsed);
        }
    }
    Err(Unusable::NoRecord)
}

fn assemble(said: &VisibleText<'_>, find: Finder) -> Result<Option<Parsed>, Unusable> {
    let mut answer = Answer::default();
    if said.thought {
        answer.repairs.add(RepairCode::Thinking, None);
    }
    for stretch in &said.stretches {
        let mut end = 0;
        for found in find(stretch)? {
            answer.pass(stretch.get(end..found.at.start).unwrap_or_default());
            end = found.at.end;
            answer.take(found.parsed)?;
        }
        answer.pass(stretch.get(end..).unwrap_or_default());
    }
    answer.finish()
}

#[derive(Default)]
struct Answer {
    record: Option<Record>,
    repairs: Repairs,
    /// Records that stand around it as lines.
    rivals: Vec<Record>,
}

impl Answer {
    /// Takes a record, which must be equal to any before it.
    fn take(&mut self, parsed: Parsed) -> Result<(), Unusable> {
        match &self.record {
            None => self.record = Some(parsed.record),
            Some(record) if *record == parsed.record => self.repairs.add(RepairCode::RepeatedRecord, None),
            Some(_) => return Err(Unusable::ConflictingRecords),
        }
        for repair in parsed.repairs {
            self.repairs.add(repair.code, repair.field);
        }
        Ok(())
    }

    /// Notes what stands around a record.
    fn pass(&mut self, outside: &str) {
        // Lines that are not a whole record are prose here.
        self.rivals.extend(lines::find(outside).unwrap_or_default().into_iter().map(|found| found.parsed.record));
        for line in outside.lines().filter(|line| !line.trim().is_empty()) {
            let (fence, text) = match split_fence(line) {
                Some((before, info)) => (true, !before.trim().is_empty() || !is_info(info)),
                None => (false, true),
            };
            if fence {
                self.repairs.add(RepairCode::CodeFence, None);
            }
            if text {
                let place = if self.record.is_none() { RepairCode::TextBefore } else { RepairCode::TextAfter };
                self.repairs.add(place, None);
            }
        }
    }

    /// The one record, if there is any.
    fn finish(mut self) -> Result<Option<Parsed>, Unusable> {
        let Some(record) = self.record else { return Ok(None) };
        if self.rivals.iter().any(|rival| *rival != record) {
            return Err(Unusable::ConflictingRecords);
        }
        if !self.rivals.is_empty() {
            self.repairs.add(RepairCode::RepeatedRecord, None);
        }
        Ok(Some(Parsed { record, repairs: self.repairs.0 }))
    }
}

/// Whether a line is nothing but a code fence.
pub(super) fn is_fence(line: &str) -> bool {
    split_fence(line).is_some_and(|(before, info)| before.trim().is_empty() && is_info(info))
}

/// What stands before and after the fence of a line. A line of one backtick is the edge of inline code.
fn split_fence(line: &str) -> Option<(&str, &str)> {
    if line.trim() == "`" {
        return Some(("", ""));
    }
    ["```", "~~~"].into_iter().find_map(|fence| line.split_once(fence))
}

/// Whether a text is what may follow a fence: at most a language's name.
fn is_info(text: &str) -> bool {
    text.trim().trim_start_matches(['`', '~']).chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+'))
}
