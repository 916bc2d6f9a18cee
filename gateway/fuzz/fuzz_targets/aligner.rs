//! A note and a value for every field, with a line between: spans quote the note, and nothing hangs.
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
    let taken = steps::of(|| ground::ground(&note, &record));
    assert!(taken <= steps::budget(text.len() + value.len()), "{taken} steps for {} bytes", text.len());
    for one in ground::ground(&note, &record) {
        assert_eq!(one.basis == Basis::Unsupported, one.spans.is_empty());
        for span in &one.spans {
            assert_eq!(note.as_str().get(span.start()..span.end()), Some(span.quote()));
        }
    }
});
