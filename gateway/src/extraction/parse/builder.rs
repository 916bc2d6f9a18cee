//! Builds a record key by key and collects its repairs. The builder returns a record only after it has seen all seven
//! keys.

use super::{Field, ParsedRecord, Record, Repair, RepairCode, Unusable, value};

/// An unfinished record.
#[derive(Default)]
pub(super) struct RecordBuilder {
    record: Record,
    /// Fields whose keys were read, one bit per field.
    seen: u8,
    /// Fields with a null under a synonym of their key, one bit per field. Such a null does not conflict with a value
    /// under the field's own key.
    seen_null: u8,
    repairs: Repairs,
}

const ALL_SEEN: u8 = {
    assert!(Field::ALL.len() < 8, "one bit of `seen` per field");
    (1 << Field::ALL.len()) - 1
};

impl RecordBuilder {
    /// Returns whether no key of the record has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.seen | self.seen_null == 0
    }

    /// Records a repair.
    pub(super) fn add_repair(&mut self, code: RepairCode, field: Option<Field>) {
        self.repairs.add(code, field);
    }

    /// Sets a field to the trimmed text, or to null if the text carries no information.
    pub(super) fn set_text(&mut self, field: Field, text: String) -> Result<(), Unusable> {
        let value = self.text_or_null(field, text);
        self.set(field, value)
    }

    /// Returns a text as a field's value: trimmed, or `None`, with a repair, if it carries no information.
    pub(super) fn text_or_null(&mut self, field: Field, text: String) -> Option<String> {
        if value::without_invisible(&text).is_some() {
            self.add_repair(RepairCode::RawControl, Some(field));
        }
        let value = value::text_or_null(text);
        if value.is_none() {
            self.add_repair(RepairCode::NullWord, Some(field));
        }
        value
    }

    /// Sets the field that a synonym of a key means. A null there does not conflict with a value under another key.
    pub(super) fn set_by_synonym(&mut self, field: Field, value: Option<String>) -> Result<(), Unusable> {
        self.add_repair(RepairCode::KeySynonym, Some(field));
        if value.is_none() {
            self.seen_null |= 1 << field as u8;
            return Ok(());
        }
        self.set(field, value)
    }

    /// Sets a field to a value that is already trimmed and checked. A second, different value is a conflict.
    pub(super) fn set(&mut self, field: Field, value: Option<String>) -> Result<(), Unusable> {
        let bit = 1 << field as u8;
        let current = self.record.get_mut(field);
        if self.seen & bit == 0 {
            self.seen |= bit;
            *current = value;
            Ok(())
        } else if *current == value {
            self.add_repair(RepairCode::RepeatedKey, Some(field));
            Ok(())
        } else {
            Err(Unusable::ConflictingKey)
        }
    }

    /// Returns the record if all seven keys were seen.
    pub(super) fn finish(self) -> Result<ParsedRecord, Unusable> {
        if self.seen | self.seen_null == ALL_SEEN {
            Ok(ParsedRecord { record: self.record, repairs: self.repairs.0 })
        } else {
            Err(Unusable::MissingKey)
        }
    }
}

/// A list of repairs without repetitions.
#[derive(Default)]
pub(super) struct Repairs(pub(super) Vec<Repair>);

impl Repairs {
    /// Adds a repair unless the list has it. The list stays short: at most one entry per kind and field.
    pub(super) fn add(&mut self, code: RepairCode, field: Option<Field>) {
        let repair = Repair { code, field };
        if !self.0.contains(&repair) {
            self.0.push(repair);
        }
    }
}
