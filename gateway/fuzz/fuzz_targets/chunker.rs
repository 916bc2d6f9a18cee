//! A note cut anywhere: all of it is sent, in order, and no part is longer than asked.
#![no_main]

use gateway::extraction::{Note, chunk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &str)| {
    let (most, text) = (1_000 + usize::from(input.0) % 2_000, input.1);
    let Ok(note) = Note::new(text.repeat(1 + 4_000 / (text.len() + 1)), 1_000_000) else { return };
    let mut end = 0;
    for chunk in chunk::cut(&note, most) {
        let range = chunk.range();
        let between = note.as_str().get(end..range.start).expect("in order, on boundaries");
        assert!(between.trim().is_empty());
        assert!(chunk.note(&note).code_points() <= most);
        if let Some([first, second]) = chunk.halves(&note) {
            assert!(range.start <= first.range().start && first.range().end <= second.range().start);
            assert!(second.range().end <= range.end);
        }
        end = range.end;
    }
    assert!(note.as_str().get(end..).expect("a boundary").trim().is_empty());
});
