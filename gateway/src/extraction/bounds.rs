//! How much one answer may hold: values of a field, and characters of a value.
//!
//! A note has a few values for each field. A record with hundreds is an appendix of a panel, a list of made-up
//! variants, or a model that repeats itself; each value costs a search of the note, so their number must not grow
//! with what somebody writes.

use super::{Field, Record, Warning, WarningCode, fields::parts};

/// Most values of one field in the record.
pub(super) const MOST_VALUES: usize = 64;

/// Most values of one field beyond those that `evidence` still shows.
pub(super) const MOST_BESIDE: usize = 64;

/// Longest value that is looked for in the note, in bytes; a longer one is no value but a text.
pub(super) const LONGEST_VALUE: usize = 512;

/// Cuts every field of a record to [`MOST_VALUES`]; gives the next [`MOST_BESIDE`] of each field, and a warning for
/// each field that was cut.
pub(super) fn cut(record: &mut Record) -> (Vec<(Field, String)>, Vec<Warning>) {
    let (mut beside, mut warnings) = (Vec::new(), Vec::new());
    for field in Field::ALL {
        let Some(value) = record.get(field).filter(|value| value.len() > MOST_VALUES) else { continue };
        let values: Vec<&str> = parts(value).collect();
        let Some((kept, rest)) = values.split_at_checked(MOST_VALUES).filter(|(_, rest)| !rest.is_empty()) else {
            continue;
        };
        warnings.push(too_many(field, values.len()));
        beside.extend(rest.iter().take(MOST_BESIDE).map(|value| (field, (*value).to_owned())));
        let kept = kept.join("; ");
        *record.get_mut(field) = Some(kept);
    }
    (beside, warnings)
}

fn too_many(field: Field, count: usize) -> Warning {
    Warning {
        code: WarningCode::TooManyValues,
        field: Some(field),
        message: format!(
            "{count} values were found for {}; the record holds the first {MOST_VALUES} and `evidence` the next \
             {MOST_BESIDE} (`in_record` false). Send the note in parts to get the others.",
            field.name()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_and_the_rest_is_told() {
        for count in [1, MOST_VALUES, MOST_VALUES + 1, MOST_VALUES + MOST_BESIDE, 9_000] {
            let values: Vec<String> = (0..count).map(|at| format!("EGFR L{at}R")).collect();
            let whole = values.join("; ");
            let mut record = Record { gene_mutation: Some(whole), stage: Some("IV".to_owned()), ..Record::default() };
            let (beside, warnings) = cut(&mut record);
            let kept: Vec<&str> = parts(record.gene_mutation.as_deref().unwrap()).collect();
            assert_eq!(kept, values[..count.min(MOST_VALUES)]);
            let rest = &values[kept.len()..count.min(MOST_VALUES + MOST_BESIDE)];
            assert_eq!(beside.iter().map(|(_, value)| value).collect::<Vec<_>>(), rest.iter().collect::<Vec<_>>());
            assert_eq!(warnings.len(), usize::from(count > MOST_VALUES), "{count}");
            assert_eq!(record.stage.as_deref(), Some("IV"));
        }
    }
}
