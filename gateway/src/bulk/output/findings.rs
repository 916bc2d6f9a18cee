//! The findings of one result, parsed from its JSON line: each value with its evidence.

use std::borrow::Cow;

use serde::Deserialize;

use super::row::Failure;
use crate::extraction::Field;

/// One result line.
#[derive(Debug, Deserialize)]
pub(super) struct ResultLine<'a> {
    pub(super) status: u16,
    #[serde(borrow, default)]
    pub(super) result: Option<ParsedResult<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<Failure<'a>>,
}

/// The parts of an answer that have columns. An older server sends no tumours, dates and codes.
#[derive(Debug, Deserialize)]
pub(super) struct ParsedResult<'a> {
    #[serde(borrow, default)]
    pub(super) engine: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) model: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) tumours: Vec<ParsedTumour<'a>>,
    #[serde(borrow, default)]
    pub(super) evidence: Evidence<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ParsedTumour<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) cancer_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) role: Cow<'a, str>,
}

/// The findings of each field, by its key.
pub(super) type Evidence<'a> = std::collections::BTreeMap<&'a str, Vec<ParsedFinding<'a>>>;

#[derive(Debug, Deserialize)]
pub(super) struct ParsedFinding<'a> {
    #[serde(borrow)]
    pub(super) value: Cow<'a, str>,
    pub(super) in_record: bool,
    #[serde(borrow)]
    pub(super) basis: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) assertion: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) tumour: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) date: Option<Date<'a>>,
    #[serde(borrow, default)]
    pub(super) codes: Vec<Code<'a>>,
    #[serde(borrow, default)]
    pub(super) quote: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) start: Option<usize>,
    #[serde(default)]
    pub(super) end: Option<usize>,
    /// What a person did with the value, and the text before a change; none in results that were not reviewed.
    #[serde(borrow, default)]
    pub(super) review: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) value_before: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Date<'a> {
    #[serde(borrow)]
    pub(super) value: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) precision: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Code<'a> {
    #[serde(borrow)]
    pub(super) system: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) code: Cow<'a, str>,
}

impl<'a> ResultLine<'a> {
    pub(super) fn of(line: &'a str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

impl<'a> ParsedResult<'a> {
    /// Returns the findings in the order of the fields.
    pub(super) fn findings(&self) -> impl Iterator<Item = (Field, &ParsedFinding<'a>)> {
        let of_field = |field: Field| self.evidence.get(field.name()).into_iter().flatten();
        Field::ALL.into_iter().flat_map(move |field| of_field(field).map(move |finding| (field, finding)))
    }
}

impl ParsedFinding<'_> {
    /// Returns the codes as `system:code`, joined by `"; "`.
    pub(super) fn codes(&self) -> String {
        let codes: Vec<String> = self.codes.iter().map(|code| format!("{}:{}", code.system, code.code)).collect();
        codes.join("; ")
    }
}
