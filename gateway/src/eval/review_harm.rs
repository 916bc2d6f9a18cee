//! `gateway eval --review-harm`: how many right values the review takes out of a model's answer.
//!
//! The labels of a note are judged as if a model had answered with them. A label that this leaves out is a right
//! value lost, unless the label is wrong.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use super::{
    ReportFormat,
    gold::{Label, LabelledNote},
    measure,
};
use crate::{
    extraction::{Field, Note, Record, record_after_judging},
    rules::RulesEngine,
};

/// The labels of all notes, and those that the review leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewHarm {
    notes: usize,
    /// For each field in the order of [`Field::ALL`]: values, and values lost.
    fields: [(usize, usize); Field::ALL.len()],
}

impl ReviewHarm {
    /// Reviews the labels of each note.
    pub(super) fn of(items: &[LabelledNote], max_note_chars: usize) -> Self {
        let (mut harm, rules) = (Self::default(), RulesEngine::default());
        for item in items {
            let Ok(note) = Note::new(item.text.clone(), max_note_chars) else { continue };
            harm.notes += 1;
            let mut record = Record::default();
            for (field, label) in &item.expected {
                record.get_mut(*field).clone_from(&label.value);
            }
            let kept = record_after_judging(&note, record, &rules);
            let kept = Field::ALL.into_iter().filter_map(|field| Some((field, kept.get(field)?.to_owned()))).collect();
            for (field, counts) in measure::score(&without_alternatives(&item.expected), &kept) {
                if let Some((values, lost)) = harm.fields.get_mut(field as usize) {
                    *values += counts.relaxed.right + counts.relaxed.missing;
                    *lost += counts.relaxed.missing;
                }
            }
        }
        harm
    }

    /// Returns the report as text in the given format.
    #[must_use]
    pub fn written(&self, format: ReportFormat) -> String {
        let (values, lost) = self
            .fields
            .iter()
            .fold((0, 0), |(values, lost), (of_field, lost_of_field)| (values + of_field, lost + lost_of_field));
        let named = || Field::ALL.iter().zip(self.fields);
        if format == ReportFormat::Json {
            let entry = |values: usize, lost: usize| json!({"values": values, "lost": lost, "share": measure::share(lost, values)});
            let fields: serde_json::Map<String, Value> =
                named().map(|(field, (values, lost))| (field.name().to_owned(), entry(values, lost))).collect();
            return format!("{:#}", json!({"notes": self.notes, "fields": fields, "all": entry(values, lost)}));
        }
        let mut out = format!("{} notes, their labels reviewed as a model's answer\n\n", self.notes);
        let _ = writeln!(out, "{:<16} {:>7} {:>6} {:>7}", "", "values", "lost", "share");
        let rows = named().map(|(field, counts)| (field.name(), counts)).chain([("all", (values, lost))]);
        for (name, (values, lost)) in rows {
            let share =
                measure::share(lost, values).map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share));
            let _ = writeln!(out, "{name:<16} {values:>7} {lost:>6} {share:>7}");
        }
        out
    }
}

/// Returns the labels alone: with a shorter alternative, the score would not show that a value was lost.
fn without_alternatives(labels: &BTreeMap<Field, Label>) -> BTreeMap<Field, Label> {
    let alone = |label: &Label| Label { value: label.value.clone(), ..Label::default() };
    labels.iter().map(|(field, label)| (*field, alone(label))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_the_note_denies_is_lost_and_one_that_it_states_is_kept() {
        let item = |text: &str, sites: &str| LabelledNote {
            id: "a".to_owned(),
            text: text.to_owned(),
            expected: BTreeMap::from([
                (Field::MetastasisSite, Label { value: Some(sites.to_owned()), ..Label::default() }),
                (Field::Stage, Label::default()),
            ]),
        };
        let items = [
            item("Lung cancer with liver metastases. No brain metastases.", "liver; brain"),
            item("Lung cancer with bone metastases.", "bone"),
        ];
        let harm = ReviewHarm::of(&items, 1_000);
        assert_eq!((harm.notes, harm.fields[Field::MetastasisSite as usize]), (2, (3, 1)));
        assert!(harm.written(ReportFormat::Table).contains("33.3 %"));
        assert!(harm.written(ReportFormat::Json).contains("\"lost\": 1"));
    }
}
