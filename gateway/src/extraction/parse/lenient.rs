//! The slow path: finds the record among the text that a model wrote around it. If a text has records that differ, the
//! result is an error: the parser never chooses one.

use super::{
    ParsedRecord, Record, RepairCode, Unusable,
    builder::Repairs,
    fence::{is_info, split_fence},
    lines,
    object::{self, FoundRecord},
    thinking::{self, VisibleText},
};

/// Finds the records in a stretch of text, in order.
type Finder = fn(&str) -> Result<Vec<FoundRecord>, Unusable>;

/// Reads a record from a trimmed text.
pub(super) fn parse(text: &str) -> Result<ParsedRecord, Unusable> {
    let visible = thinking::leave_out(text)?;
    // Lines count only if the text has no object, because a pretty-printed object consists of lines too.
    for find in [object::find as Finder, lines::find] {
        if let Some(parsed) = assemble(&visible, find)? {
            return Ok(parsed);
        }
    }
    Err(Unusable::NoRecord)
}

fn assemble(visible: &VisibleText<'_>, find: Finder) -> Result<Option<ParsedRecord>, Unusable> {
    let mut collector = RecordCollector::default();
    if visible.thought {
        collector.repairs.add(RepairCode::Thinking, None);
    }
    for stretch in &visible.stretches {
        let mut end = 0;
        for found in find(stretch)? {
            collector.add_outside(stretch.get(end..found.at.start).unwrap_or_default());
            end = found.at.end;
            collector.add_record(found.parsed)?;
        }
        collector.add_outside(stretch.get(end..).unwrap_or_default());
    }
    collector.finish()
}

/// Collects the records of a text, which must be equal, and the repairs around them.
#[derive(Default)]
struct RecordCollector {
    record: Option<Record>,
    repairs: Repairs,
    /// Records written as lines around the record.
    line_records: Vec<Record>,
}

impl RecordCollector {
    /// Adds a record, which must equal any earlier one.
    fn add_record(&mut self, parsed: ParsedRecord) -> Result<(), Unusable> {
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
        self.line_records.extend(lines::find(outside).unwrap_or_default().into_iter().map(|found| found.parsed.record));
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
    fn finish(mut self) -> Result<Option<ParsedRecord>, Unusable> {
        let Some(record) = self.record else { return Ok(None) };
        if self.line_records.iter().any(|other| *other != record) {
            return Err(Unusable::ConflictingRecords);
        }
        if !self.line_records.is_empty() {
            self.repairs.add(RepairCode::RepeatedRecord, None);
        }
        Ok(Some(ParsedRecord { record, repairs: self.repairs.0 }))
    }
}
