//! The slow path: finds the record among the text that a model wrote around it. If a text has records that differ, the
//! result is an error: the parser never chooses one.

use super::{
    Parsed, Record, RepairCode, Unusable,
    builder::Repairs,
    fence::{is_info, split_fence},
    lines,
    object::{self, FoundRecord},
    thinking::{self, VisibleText},
};

/// Finds the records in a stretch of text, in order.
type Finder = fn(&str) -> Result<Vec<FoundRecord>, Unusable>;

/// Reads a record from a trimmed text.
pub(super) fn parse(text: &str) -> Result<Parsed, Unusable> {
    let visible = thinking::leave_out(text)?;
    // Lines count only if the text has no object, because a pretty-printed object consists of lines too.
    for find in [object::find as Finder, lines::find] {
        if let Some(parsed) = assemble(&visible, find)? {
            return Ok(parsed);
        }
    }
    Err(Unusable::NoRecord)
}

fn assemble(visible: &VisibleText<'_>, find: Finder) -> Result<Option<Parsed>, Unusable> {
    let mut answer = Answer::default();
    if visible.thought {
        answer.repairs.add(RepairCode::Thinking, None);
    }
    for stretch in &visible.stretches {
        let mut end = 0;
        for found in find(stretch)? {
            answer.add_outside(stretch.get(end..found.at.start).unwrap_or_default());
            end = found.at.end;
            answer.add_record(found.parsed)?;
        }
        answer.add_outside(stretch.get(end..).unwrap_or_default());
    }
    answer.finish()
}

#[derive(Default)]
struct Answer {
    record: Option<Record>,
    repairs: Repairs,
    /// Records written as lines around the record.
    rivals: Vec<Record>,
}

impl Answer {
    /// Adds a record, which must equal any earlier one.
    fn add_record(&mut self, parsed: Parsed) -> Result<(), Unusable> {
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

    /// Records repairs for the text around a record.
    fn add_outside(&mut self, outside: &str) {
        // Lines that are not a whole record count as prose.
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
                let code = if self.record.is_none() { RepairCode::TextBefore } else { RepairCode::TextAfter };
                self.repairs.add(code, None);
            }
        }
    }

    /// Returns the only record, or `None` if there is none.
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
