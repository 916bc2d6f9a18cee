//! A record in the making: which keys were seen, with what, and what was mended on the way. It never
//! gives a record before all seven keys were seen.

use super::{Field, Parsed, Record, Repair, RepairCode, Unusable, value};

/// A record in the making.
#[derive(Default)]
pub(super) struct RecordBuilder {
    record: Record,
    /// One bit per field.
    seen: u8,
    /// The same for null under a key of another name: it says no more than that the key was thought of.
    seen_null: u8,
    repairs: Repairs,
}

const ALL_SEEN: u8 = {
    assert!(Field::ALL.len() < 8, "one bit of `seen` per field");
    (1 << Field::ALL.len()) - 1
};

impl RecordBuilder {
    /// Whether no key of the record was seen yet.
    pub(super) fn is_empty(&self) -> bool {
        self.seen | self.seen_null == 0
    }

    /// Notes a repair.
    pub(super) fn mended(&mut self, code: RepairCode, field: Option<Field>) {
        self.repairs.add(code, field);
    }

    /// Sets a field to a text, which is trimmed; one that says nothing is null.
    pub(super) fn set_text(&mut self, field: Field, text: String) -> Result<(), Unusable> {
        let value = self.settled(field, text);
        self.set(field, value)
    }

    /// A text as a field's value, which is trimmed; nothing where it says nothing.
    pub(super) fn settled(&mut self, field: Field, text: String) -> Option<String> {
        let value = value::settle(text);
        if value.is_none() {
            self.mended(RepairCode::NullWord, Some(field));
        }
        value
    }

    /// Sets the field that a key of another name means. What says nothing there contradicts nothing.
    pub(super) fn set_meant(&mut self, field: Field, value: Option<String>) -> Result<(), Unusable> {
        self.mended(RepairCode::KeySynonym, Some(field));
        if value.is_none() {
            self.seen_null |= 1 << field as u8;
            return Ok(());
        }
        self.set(field, value)
    }

    /// Sets a field to a value that needs no more care.
    pub(super) fn set(&mut self, field: Field, value: Option<String>) -> Result<(), Unusable> {
        let bit = 1 << field as u8;
        let place = self.record.get_mut(field);
        if self.seen & bit == 0 {
            self.seen |= bit;
            *place = value;
            Ok(())
        } else if *place == value {
            self.mended(RepairCode::RepeatedKey, Some(field));
            Ok(())
        } else {
            Err(Unusable::ConflictingKey)
        }
    }

    /// The record, if it is complete.
    pub(super) fn finish(self) -> Result<Parsed, Unusable> {
        if self.seen | self.seen_null == ALL_SEEN {
            Ok(Parsed { record: self.record, repairs: self.repairs.0 })
        } else {
            Err(Unusable::MissingKey)
        }
    }
}

/// A list of repairs, each in it once.
#[derive(Default)]
pub(super) struct Repairs(pub(super) Vec<Repair>);

impl Repairs {
    /// Adds a repair, unless it is there. The list stays short: kinds times fields at the most.
    pub(super) fn add(&mut self, code: RepairCode, field: Option<Field>) {
        let repair = Repair { code, field };
        if !self.0.contains(&repair) {
            self.0.push(repair);
        }
    }
}
