//! What a timeline needs of the answer to one note, parsed from the JSON of the answer. So answers of this process and
//! of another gateway are the same to it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::extraction::{Assertion, Field};

/// What the answer to one note says of the patient: the tumours, and every statement about them that holds or held.
#[derive(Clone, Debug, Default)]
pub struct NoteReading {
    pub(super) tumours: Vec<TumourReading>,
    pub(super) findings: Vec<FindingReading>,
    pub(super) formulas: Vec<FormulaReading>,
    pub(super) code_files: Option<Box<RawValue>>,
}

/// A tumour of the note.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TumourReading {
    pub(super) id: String,
    pub(super) cancer_type: String,
    #[serde(default)]
    pub(super) site: Option<String>,
    #[serde(default)]
    pub(super) laterality: Option<String>,
    pub(super) role: String,
    #[serde(default)]
    pub(super) date: Option<DateReading>,
    #[serde(default)]
    pub(super) codes: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) evidence: Vec<PlaceReading>,
}

impl TumourReading {
    /// Returns the codes that name the tumour itself, and nothing broader.
    pub(super) fn exact_codes(&self) -> Vec<String> {
        #[derive(Deserialize)]
        struct Named {
            system: String,
            code: String,
            basis: String,
        }
        let codes = self.codes.as_ref().map_or("[]", |codes| codes.get());
        let codes: Vec<Named> = serde_json::from_str(codes).unwrap_or_default();
        let exact = codes.into_iter().filter(|code| code.basis != "broader");
        exact.map(|code| format!("{}:{}", code.system, code.code)).collect()
    }
}

/// The words that name a tumour.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PlaceReading {
    pub(super) quote: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A date of the answer.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DateReading {
    pub(super) value: String,
    precision: String,
}

impl DateReading {
    /// Returns whether the date is a day, month or year, and not an age or a time relative to something.
    pub(super) fn is_absolute(&self) -> bool {
        matches!(self.precision.as_str(), "day" | "month" | "year")
    }
}

/// A statement of a note: a value that holds or held, or one that the note denies.
#[derive(Clone, Debug)]
pub(super) struct FindingReading {
    pub(super) field: Field,
    pub(super) value: String,
    /// The assertion as the answer names it.
    pub(super) assertion: Option<String>,
    /// Whether the note says that the value is absent.
    pub(super) denied: bool,
    pub(super) tumour: Option<String>,
    pub(super) date: Option<DateReading>,
    pub(super) codes: Option<Box<RawValue>>,
    pub(super) course: Option<Box<RawValue>>,
    pub(super) quote: Option<String>,
    pub(super) start: Option<usize>,
    pub(super) end: Option<usize>,
}

impl FindingReading {
    /// Returns the course of a treatment, as far as it is stated.
    pub(super) fn course(&self) -> Option<CourseReading> {
        serde_json::from_str(self.course.as_ref()?.get()).ok()
    }
}

/// The course of a treatment, as an answer has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CourseReading {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) start: Option<DateReading>,
    #[serde(default)]
    pub(super) stop: Option<DateReading>,
    #[serde(default)]
    pub(super) reason: Option<ReasonReading>,
    #[serde(default)]
    pub(super) response: Option<String>,
}

/// Why a treatment was stopped.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReasonReading {
    pub(super) quote: String,
}

/// A TNM formula of the note.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct FormulaReading {
    pub(super) t: String,
    #[serde(default)]
    pub(super) n: Option<String>,
    #[serde(default)]
    pub(super) m: Option<String>,
    #[serde(default)]
    pub(super) prefix: Option<String>,
    #[serde(default)]
    pub(super) edition: Option<u8>,
    pub(super) quote: String,
    pub(super) start: usize,
    pub(super) end: usize,
    #[serde(default)]
    pub(super) tumour: Option<String>,
    #[serde(default)]
    pub(super) date: Option<DateReading>,
}

/// The answer as it is in JSON.
#[derive(Deserialize)]
struct AnswerJson {
    #[serde(default)]
    tumours: Vec<TumourReading>,
    #[serde(default)]
    tnm: Vec<FormulaReading>,
    #[serde(default)]
    code_files: Option<Box<RawValue>>,
    evidence: std::collections::BTreeMap<String, Vec<FindingJson>>,
}

#[derive(Deserialize)]
struct FindingJson {
    value: String,
    in_record: bool,
    #[serde(default)]
    assertion: Option<String>,
    #[serde(default)]
    quote: Option<String>,
    #[serde(default)]
    start: Option<usize>,
    #[serde(default)]
    end: Option<usize>,
    #[serde(default)]
    tumour: Option<String>,
    #[serde(default)]
    date: Option<DateReading>,
    #[serde(default)]
    codes: Option<Box<RawValue>>,
    #[serde(default)]
    course: Option<Box<RawValue>>,
}

/// Assertions of values that are not in the flat record but hold or held for the patient.
const HELD: [Assertion; 3] = [Assertion::OtherTumour, Assertion::Superseded, Assertion::Historical];
/// Assertions of values that the note says are absent.
const DENIED: [Assertion; 2] = [Assertion::Negated, Assertion::WildType];

impl NoteReading {
    /// Parses the JSON of an answer of `POST /api/v1/extract`. Returns `None` if it is not one.
    #[must_use]
    pub fn of_json(json: &str) -> Option<Self> {
        let mut answer: AnswerJson = serde_json::from_str(json).ok()?;
        let mut findings = Vec::new();
        for (name, all) in std::mem::take(&mut answer.evidence) {
            let Some(field) = Field::named(&name).filter(|field| super::FIELDS.contains(field)) else { continue };
            for finding in all {
                let is = |list: &[Assertion]| {
                    finding.assertion.as_deref().is_some_and(|name| list.iter().any(|one| one.name() == name))
                };
                let denied = !finding.in_record && is(&DENIED);
                if !finding.in_record && !denied && !is(&HELD) {
                    continue;
                }
                let FindingJson { value, assertion, quote, start, end, tumour, date, codes, course, .. } = finding;
                let codes = codes.filter(|codes| codes.get() != "[]");
                findings.push(FindingReading {
                    field,
                    value,
                    assertion,
                    denied,
                    tumour,
                    date,
                    codes,
                    course,
                    quote,
                    start,
                    end,
                });
            }
        }
        let AnswerJson { tumours, tnm: formulas, code_files, .. } = answer;
        Some(Self { tumours, findings, formulas, code_files })
    }

    /// Returns about how many bytes the reading occupies.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let finding = |one: &FindingReading| {
            let raw = |json: &Option<Box<RawValue>>| json.as_ref().map_or(0, |json| json.get().len());
            let codes = raw(&one.codes) + raw(&one.course);
            size_of::<FindingReading>() + one.value.len() + text(&one.quote) + text(&one.assertion) + codes + 64
        };
        let tumour = |one: &TumourReading| {
            let places: usize = one.evidence.iter().map(|place| size_of::<PlaceReading>() + place.quote.len()).sum();
            let codes = one.codes.as_ref().map_or(0, |codes| codes.get().len());
            size_of::<TumourReading>() + one.cancer_type.len() + codes + places + 64
        };
        let formula = |one: &FormulaReading| size_of::<FormulaReading>() + one.quote.len() + 64;
        self.findings.iter().map(finding).sum::<usize>()
            + self.tumours.iter().map(tumour).sum::<usize>()
            + self.formulas.iter().map(formula).sum::<usize>()
    }
}
