//! The fields of a message that give the id, the patient and the day of a note.

use super::{super::InputFormat, syntax::Marks};

/// Maximum bytes of such a value. A longer one is not an id or a name.
const LONGEST_VALUE: usize = 1_000;

/// A field of a segment, such as `PID-3` or `OBR-3.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldName {
    segment: String,
    field: usize,
    component: usize,
}

impl FieldName {
    /// Parses `SEG-n` or `SEG-n.m`; `None` for another name.
    fn parse(name: &str) -> Option<Self> {
        let (segment, number) = name.split_once('-')?;
        let (field, component) = number.split_once('.').unwrap_or((number, "1"));
        let segment = segment.to_ascii_uppercase();
        let number = |digits: &str| digits.parse::<usize>().ok().filter(|number| (1..=999).contains(number));
        super::is_segment_name(segment.as_bytes()).then_some(())?;
        Some(Self { segment, field: number(field)?, component: number(component)? })
    }

    /// Returns the value of the field in a segment; `None` if it is empty or the segment is another.
    fn value(&self, segment: &str, marks: Marks) -> Option<String> {
        segment.starts_with(&self.segment).then_some(())?;
        let repetition = marks.repetitions(marks.field(segment, self.field)).next()?;
        kept(marks.component(repetition, self.component))
    }
}

fn kept(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty() && value != "\"\"" && value.len() <= LONGEST_VALUE).then(|| value.to_owned())
}

/// How long a value holds: for all groups of a message, of a patient, or for one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    Group,
    Patient,
    Message,
}

impl Scope {
    /// Returns how long the values of a segment hold.
    pub(super) fn of(segment: &str) -> Self {
        match segment.get(..3) {
            Some("MSH" | "EVN" | "SFT" | "UAC") => Self::Message,
            Some("PID" | "PD1" | "PV1" | "PV2" | "NK1" | "ARV" | "ROL") => Self::Patient,
            _ => Self::Group,
        }
    }
}

/// One value that a note needs: the fields that may give it, best first, and what they gave.
#[derive(Debug)]
pub(super) struct Column {
    fields: Vec<(FieldName, Option<String>)>,
}

impl Column {
    fn of(names: &[&str]) -> Self {
        Self { fields: names.iter().filter_map(|name| FieldName::parse(name)).map(|name| (name, None)).collect() }
    }

    fn named(name: &str) -> Option<Self> {
        FieldName::parse(name).map(|name| Self { fields: vec![(name, None)] })
    }

    fn note(&mut self, segment: &str, marks: Marks) {
        for (name, value) in &mut self.fields {
            if value.is_none() {
                *value = name.value(segment, marks);
            }
        }
    }

    fn forget(&mut self, scope: Scope) {
        for (name, value) in &mut self.fields {
            if Scope::of(&name.segment) <= scope {
                *value = None;
            }
        }
    }

    fn value(&self) -> Option<&str> {
        self.fields.iter().find_map(|(_, value)| value.as_deref())
    }

    /// Returns whether the value belongs to one group of a message.
    fn is_of_group(&self) -> bool {
        self.fields.iter().all(|(name, _)| Scope::of(&name.segment) == Scope::Group)
    }
}

/// The patient of the message by PID-3, with the authority that gave the number.
#[derive(Debug, Default)]
struct PatientNumber {
    number: Option<String>,
    authority: String,
    /// The authority of the first patient of the input.
    first_authority: Option<String>,
}

impl PatientNumber {
    /// Notes the medical record number, or the first number if none is marked as one.
    fn note(&mut self, segment: &str, marks: Marks) {
        if !segment.starts_with("PID") {
            return;
        }
        let field = marks.field(segment, 3);
        let is_record = |repetition: &&str| marks.component(repetition, 5).trim() == "MR";
        let chosen = marks.repetitions(field).find(is_record).or_else(|| marks.repetitions(field).next());
        let chosen = chosen.unwrap_or_default();
        self.number = kept(marks.component(chosen, 1)).or_else(|| kept(marks.component(marks.field(segment, 2), 1)));
        self.authority = kept(marks.component(chosen, 4)).unwrap_or_default();
        if self.number.is_some() && self.first_authority.is_none() {
            self.first_authority = Some(self.authority.clone());
        }
    }

    /// Returns the number, unless another authority gave it than that of the first patient: two hospitals may give one
    /// number to two patients.
    fn value(&self) -> Result<Option<&str>, ()> {
        match &self.first_authority {
            Some(first) if self.number.is_some() && *first != self.authority => Err(()),
            _ => Ok(self.number.as_deref()),
        }
    }
}

/// The values of a note besides its text.
#[derive(Debug)]
pub(super) struct Columns {
    ids: Vec<Column>,
    patient: Option<Column>,
    patient_number: PatientNumber,
    date: Column,
    /// The fields that the output repeats.
    keep: Vec<Column>,
}

impl Columns {
    /// Returns the columns that the operator named, or what is wrong with one.
    pub(super) fn of(form: &InputFormat) -> Result<Self, String> {
        let each_named = |flag: &str, names: &[String]| {
            let columns = names.iter().map(|name| Column::named(name).ok_or_else(|| no_field(flag, name)));
            columns.collect::<Result<Vec<_>, _>>()
        };
        let ids = match form.ids.as_slice() {
            [] => vec![Column::of(&["MSH-10"])],
            [name] if name == "id" => vec![Column::of(&["MSH-10"])],
            names => each_named("id", names)?,
        };
        let keep = each_named("keep", &form.keep)?;
        let patient = match form.patient.as_deref() {
            None | Some("patient") => None,
            Some(name) => Some(Column::named(name).ok_or_else(|| no_field("patient", name))?),
        };
        let date = match form.date_key().map(|(name, _)| name) {
            // The day of the examination, of its report, of the document.
            None | Some("date") => Column::of(&["OBR-7", "OBR-22", "TXA-4"]),
            Some(name) => Column::named(name).ok_or_else(|| no_field("date", name))?,
        };
        Ok(Self { ids, patient, patient_number: PatientNumber::default(), date, keep })
    }

    /// Notes the values that a segment gives.
    pub(super) fn note(&mut self, segment: &str, marks: Marks) {
        self.patient_number.note(segment, marks);
        for column in self.all() {
            column.note(segment, marks);
        }
    }

    /// Forgets the values of a group, of a patient or of a message that ended.
    pub(super) fn forget(&mut self, scope: Scope) {
        if scope >= Scope::Patient {
            self.patient_number.number = None;
        }
        for column in self.all() {
            column.forget(scope);
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Column> {
        let others = self.ids.iter_mut().chain(&mut self.keep);
        others.chain(&mut self.patient).chain([&mut self.date])
    }

    /// Returns the id of a note: that of its message, with the number of its group from the second on.
    pub(super) fn id(&self, group: usize) -> Option<String> {
        let parts = self.ids.iter().map(|column| column.value().unwrap_or_default().to_owned());
        let id = InputFormat::joined_id(&parts.collect::<Vec<_>>())?;
        let is_of_message = self.ids.iter().all(|column| !column.is_of_group());
        Some(if group > 1 && is_of_message { format!("{id}/{group}") } else { id })
    }

    /// Returns the values that the output repeats.
    pub(super) fn carried(&self) -> Vec<String> {
        self.keep.iter().map(|column| column.value().unwrap_or_default().to_owned()).collect()
    }

    /// Returns the patient; an error if numbers of several authorities are mixed.
    pub(super) fn patient(&self) -> Result<Option<&str>, ()> {
        match &self.patient {
            Some(column) => Ok(column.value()),
            None => self.patient_number.value(),
        }
    }

    /// Returns the day of the note as `YYYY-MM-DD`, or the value as it is where it does not begin with one.
    pub(super) fn date(&self) -> Option<String> {
        let value = self.date.value()?;
        let day = value.get(..8).filter(|day| day.bytes().all(|byte| byte.is_ascii_digit()));
        let parts = day.and_then(|day| Some((day.get(..4)?, day.get(4..6)?, day.get(6..)?)));
        Some(parts.map_or_else(|| value.to_owned(), |(year, month, day)| format!("{year}-{month}-{day}")))
    }
}

fn no_field(flag: &str, name: &str) -> String {
    let pseudo = if flag == "id" { "MSH-10" } else { flag };
    format!(
        "HL7 has no column `{name}`. Name a field with --{flag}-column, such as PID-3 or OBR-3.1; {pseudo} is the default"
    )
}
