//! Finds the fields in which a note supports a record, or at least does not contradict it. Costs less than judging the
//! record, because it finds no dates, codes, tumours or courses: none of them decides whether a field keeps a value.

use super::{
    Context, Field, Note, Readable, Record, bounds,
    ground::{Grounded, Grounder, ground_parts},
    judge,
};

/// Returns the fields that a record without tumours still has after [`judge::judge`]. `context`: that of the readable
/// text, if it is known.
pub(super) fn affirmed_fields(note: &Note, mut record: Record, context: Option<&Context<'_>>) -> Vec<Field> {
    let read = Readable::of(note);
    bounds::limit_values(&mut record);
    let mut grounded = Grounder::with_context(read.note(), context).ground(&record);
    let in_original = judge::in_original(note, &read, &mut grounded);
    grounded.extend(in_original);
    fields_with_values(&record, &grounded)
}

/// Returns the fields of a record of which a value is in the record, or that have no value to ground.
fn fields_with_values(record: &Record, grounded: &[Grounded<'_>]) -> Vec<Field> {
    let is_affirmed = |field: &Field| {
        let mut of_field = grounded.iter().filter(|one| one.field == *field).peekable();
        record.get(*field).is_some() && (of_field.peek().is_none() || of_field.any(Grounded::in_record))
    };
    Field::ALL.into_iter().filter(is_affirmed).collect()
}

/// What a note supports of a record.
#[derive(Clone, Debug, Default)]
pub(super) struct SupportedFields {
    /// Fields that still have a value after judging, also one that is not found in the note.
    pub(super) kept: Vec<Field>,
    /// Whether the text from the given place on supports none of the values.
    pub(super) none_supported: bool,
}

/// Returns what a text supports of a record. `own_from`: where the text's own part begins, in bytes. What stands before it
/// is context from another part of the note, and a value that only the context supports does not count. `context`: as for
/// [`affirmed_fields`].
pub(super) fn supported_fields(
    text: &Note,
    mut record: Record,
    own_from: usize,
    context: Option<&Context<'_>>,
) -> SupportedFields {
    if record.is_empty() {
        return SupportedFields { none_supported: true, ..SupportedFields::default() };
    }
    bounds::limit_values(&mut record);
    let read = Readable::of(text);
    let mut grounded = Grounder::with_context(read.note(), context).ground(&record);
    let of_original = judge::in_original(text, &read, &mut grounded);
    let is_supported = |one: &Grounded<'_>| one.in_record() && !one.spans.is_empty();
    let is_own = |one: &Grounded<'_>| {
        own_from == 0 || one.spans.iter().any(|span| read.origin(span.start()..span.end()).start >= own_from)
    };
    let mut supported = grounded.iter().any(|one| is_supported(one) && is_own(one))
        || of_original.iter().any(|one| is_supported(one) && one.spans.iter().any(|span| span.start() >= own_from));
    if !supported && own_from > 0 {
        // The places of a value are few, and the context may have all of them.
        let own = text.part(text.as_str().get(own_from..).unwrap_or_default().to_owned());
        let values = grounded.iter().chain(&of_original).filter(|one| is_supported(one));
        supported = ground_parts(&own, values.map(|one| (one.field, one.value))).iter().any(is_supported);
    }
    grounded.extend(of_original);
    SupportedFields { kept: fields_with_values(&record, &grounded), none_supported: !supported }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn the_fields_are_those_that_judging_leaves() {
        for text in [
            "Lung adenocarcinoma, stage IV, EGFR L858R. On osimertinib; partial response. Liver metastases.",
            "Colon cancer. No liver metastases. KRAS wild type. She declined FOLFOX.",
            "Breast cancer. In 2018 ER positive. In 2024 ER negative. In 2018 stage II. In 2024 stage IV.",
            "Prostate cancer in 2009. Melanoma, stage IIIB. <b>BRAF</b> V600E. Nivolumab is planned.",
            "Seen for knee pain.",
        ] {
            let note = Note::new(text.to_owned(), 1_000).unwrap();
            let read = rules::read(&note).record;
            let others = Record {
                cancer_type: Some("glioblastoma".to_owned()),
                stage: Some("IV; II".to_owned()),
                gene_mutation: Some("KRAS G12C; BRAF V600E".to_owned()),
                biomarker: Some("ER positive; ER negative".to_owned()),
                treatment: Some("FOLFOX; nivolumab".to_owned()),
                response: None,
                metastasis_site: Some("liver".to_owned()),
            };
            for record in [read, others] {
                let judged = judge::judge(&note, record.clone(), judge::JudgeInput::default(), |_, _| None).record;
                let left: Vec<_> = Field::ALL.into_iter().filter(|&field| judged.get(field).is_some()).collect();
                let readable = Readable::of(&note);
                let context = Context::of(readable.note().as_str());
                for known in [None, Some(&context)] {
                    assert_eq!(affirmed_fields(&note, record.clone(), known), left, "{text}");
                }
            }
        }
    }
}
