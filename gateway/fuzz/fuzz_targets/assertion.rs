//! Input: a note and a range of it. Assesses the range as a value of every field and runs the rules engine on the note.
#![no_main]

use gateway::{
    extraction::{Context, Field, Note},
    rules, steps,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, u16, &str)| {
    let (start, length, text) = (usize::from(input.0), usize::from(input.1), input.2);
    let context = Context::of(text);
    let start = start % (text.len() + 1);
    let end = (start + length).min(text.len());
    if text.get(start..end).is_some() {
        for field in Field::ALL {
            let assessment = context.assess(start..end, field);
            assert_eq!(assessment, Context::of(text).assess(start..end, field));
        }
    }
    if let Ok(note) = Note::new(text.to_owned(), 100_000) {
        let count = steps::steps_of(|| rules::read(&note));
        assert!(count <= steps::budget(text.len()), "{count} steps for {} bytes", text.len());
        let reading = rules::read(&note);
        for field in Field::ALL {
            assert_ne!(reading.record.get(field), Some(""));
        }
    }
});
