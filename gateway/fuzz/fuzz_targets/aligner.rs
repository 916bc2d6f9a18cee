//! Input: a value for every field, a line break, and a note. Checks that spans quote the note and that grounding stays
//! within its budget of steps.
#![no_main]

use gateway::{
    extraction::{Basis, Field, Note, Record, ground},
    steps,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some((value, text)) = text.split_once('\n') else { return };
    let Ok(note) = Note::new(text.to_owned(), 100_000) else { return };
    let mut record = Record::default();
    for field in Field::ALL {
        *record.get_mut(field) = Some(value.to_owned());
    }
    let count = steps::steps_of(|| ground::ground(&note, &record));
    assert!(count <= steps::budget(text.len() + value.len()), "{count} steps for {} bytes", text.len());
    for finding in ground::ground(&note, &record) {
        assert_eq!(finding.basis == Basis::Unsupported, finding.spans.is_empty());
        for span in &finding.spans {
            assert_eq!(note.as_str().get(span.start()..span.end()), Some(span.quote()));
        }
    }
});
