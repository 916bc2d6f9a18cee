//! The values of one result for CSV and table, parsed from its JSON line.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;

use crate::extraction::Field;

#[derive(Debug, Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    pub(super) status: u16,
    #[serde(borrow, default)]
    pub(super) result: Option<RecordRow<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<Failure<'a>>,
    #[serde(borrow, default)]
    review: Option<ReviewRow<'a>>,
}

/// What a person did with the note, in reviewed results.
#[derive(Debug, Deserialize)]
struct ReviewRow<'a> {
    note: &'a str,
    #[serde(borrow)]
    fields: BTreeMap<&'a str, Vec<&'a str>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RecordRow<'a> {
    #[serde(borrow)]
    cancer_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    stage: Option<Cow<'a, str>>,
    #[serde(borrow)]
    gene_mutation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    biomarker: Option<Cow<'a, str>>,
    #[serde(borrow)]
    treatment: Option<Cow<'a, str>>,
    #[serde(borrow)]
    response: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metastasis_site: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) engine: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) warnings: Vec<WarningRow<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WarningRow<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    field: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Failure<'a> {
    #[serde(borrow, default)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    detail: Cow<'a, str>,
}

impl<'a> Row<'a> {
    pub(super) fn of(line: &'a str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    /// Returns the value of a field; empty if there is none.
    pub(super) fn value(&self, field: Field) -> &str {
        let Some(result) = &self.result else { return "" };
        let value = match field {
            Field::CancerType => &result.cancer_type,
            Field::Stage => &result.stage,
            Field::GeneMutation => &result.gene_mutation,
            Field::Biomarker => &result.biomarker,
            Field::Treatment => &result.treatment,
            Field::Response => &result.response,
            Field::MetastasisSite => &result.metastasis_site,
        };
        value.as_deref().unwrap_or_default()
    }

    /// Returns the codes of the warnings, each with its field if it has one.
    pub(super) fn warnings(&self) -> String {
        let warnings = self.result.iter().flat_map(|result| &result.warnings);
        let texts = warnings.map(|warning| match &warning.field {
            Some(field) => format!("{} ({field})", warning.code),
            None => warning.code.clone().into_owned(),
        });
        texts.collect::<Vec<_>>().join("; ")
    }

    /// Returns what a person did with the values of each field; empty in results that were not reviewed.
    pub(super) fn review(&self) -> String {
        let Some(review) = &self.review else { return String::new() };
        let of_field =
            |field: Field| Some(format!("{}: {}", field.name(), review.fields.get(field.name())?.join(", ")));
        Field::ALL.into_iter().filter_map(of_field).collect::<Vec<_>>().join("; ")
    }

    /// Returns whether a person marked the note as done.
    pub(super) fn is_done(&self) -> bool {
        self.review.as_ref().is_some_and(|review| review.note == "done")
    }

    /// Returns code and detail of the problem on one line; empty if the note was read.
    pub(super) fn error(&self) -> String {
        self.error.as_ref().map_or_else(String::new, Failure::text)
    }
}

impl Failure<'_> {
    /// Returns code and detail on one line.
    pub(super) fn text(&self) -> String {
        format!("{}: {}", self.code, self.detail).replace(['\r', '\n'], " ")
    }
}
