//! Limits how many values a field of an answer may have, and how long a value may be.
//!
//! A note has a few values for each field. A record with hundreds comes from the appendix of a gene panel, a list of
//! made-up variants, or a model that repeats itself. Each value costs a search of the note, so their number must be
//! limited.

use std::collections::HashSet;

use super::{Field, Record, Warning, WarningCode, fields::parts};

/// Maximum number of values of one field in the record.
pub(super) const MOST_VALUES: usize = 64;

/// Maximum number of values of one field that only `evidence` shows, because the record has no room for them.
pub(super) const MOST_OUTSIDE_RECORD: usize = 64;

/// Longest value that is searched in the note, in bytes. A longer one is a passage of text and not a value.
pub(super) const LONGEST_VALUE: usize = 512;

/// Cuts every field of a record to [`MOST_VALUES`] values. Returns the next [`MOST_OUTSIDE_RECORD`] values of each
/// field, and a warning for each field that was cut.
pub(super) fn limit_values(record: &mut Record) -> (Vec<(Field, String)>, Vec<Warning>) {
    let (mut further, mut warnings) = (Vec::new(), Vec::new());
    for field in Field::ALL {
        without_repeats(record, field);
        // Each value takes at least one byte, so a text of at most `MOST_VALUES` bytes is not split and counted.
        let Some(value) = record.get(field).filter(|value| value.len() > MOST_VALUES) else { continue };
        let values: Vec<&str> = parts(value).collect();
        let Some((kept, rest)) = values.split_at_checked(MOST_VALUES).filter(|(_, rest)| !rest.is_empty()) else {
            continue;
        };
        warnings.push(too_many(field, values.len()));
        further.extend(rest.iter().take(MOST_OUTSIDE_RECORD).map(|value| (field, (*value).to_owned())));
        let kept = kept.join("; ");
        *record.get_mut(field) = Some(kept);
    }
    (further, warnings)
}

/// Keeps the first of equal values, because a model may repeat itself.
fn without_repeats(record: &mut Record, field: Field) {
    let Some(value) = record.get(field).filter(|value| value.contains(';')) else { return };
    let mut seen = HashSet::new();
    let mut count = 0;
    let kept: Vec<&str> =
        parts(value).inspect(|_| count += 1).filter(|part| seen.insert(part.to_lowercase())).collect();
    if kept.len() < count {
        let kept = kept.join("; ");
        *record.get_mut(field) = Some(kept);
    }
}

fn too_many(field: Field, count: usize) -> Warning {
    Warning {
        code: WarningCode::TooManyValues,
        field: Some(field),
        message: format!(
            "{count} values were found for {}; the record holds the first {MOST_VALUES} and `evidence` the next \
             {MOST_OUTSIDE_RECORD} (`in_record` false). Send the note in parts to get the others.",
            field.name()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_kept_once() {
        for (value, expected) in [
            ("trastuzumab; trastuzumab; Trastuzumab", "trastuzumab"),
            ("FOLFOX; FOLFIRI; FOLFOX", "FOLFOX; FOLFIRI"),
            ("EGFR L858R; EGFR T790M", "EGFR L858R; EGFR T790M"),
            ("x;y", "x;y"),
        ] {
            let mut record = Record { treatment: Some(value.to_owned()), ..Record::default() };
            assert!(limit_values(&mut record).1.is_empty());
            assert_eq!(record.treatment.as_deref(), Some(expected), "{value}");
        }
    }

    #[test]
    fn fields_are_cut_and_the_next_values_are_returned() {
        for count in [1, MOST_VALUES, MOST_VALUES + 1, MOST_VALUES + MOST_OUTSIDE_RECORD, 9_000] {
            let values: Vec<String> = (0..count).map(|at| format!("EGFR L{at}R")).collect();
            let whole = values.join("; ");
            let mut record = Record { gene_mutation: Some(whole), stage: Some("IV".to_owned()), ..Record::default() };
            let (further, warnings) = limit_values(&mut record);
            let kept: Vec<&str> = parts(record.gene_mutation.as_deref().unwrap()).collect();
            assert_eq!(kept, values[..count.min(MOST_VALUES)]);
            let rest = &values[kept.len()..count.min(MOST_VALUES + MOST_OUTSIDE_RECORD)];
            assert_eq!(further.iter().map(|(_, value)| value).collect::<Vec<_>>(), rest.iter().collect::<Vec<_>>());
            assert_eq!(warnings.len(), usize::from(count > MOST_VALUES), "{count}");
            assert_eq!(record.stage.as_deref(), Some("IV"));
        }
    }
}
