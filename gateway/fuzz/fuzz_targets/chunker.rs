//! Input: a limit and a note. Checks that the chunks cover the note in order and that none exceeds the limit.
#![no_main]

use gateway::extraction::{Note, chunk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &str)| {
    let (max_chars, text) = (1_000 + usize::from(input.0) % 2_000, input.1);
    let Ok(note) = Note::new(text.repeat(1 + 4_000 / (text.len() + 1)), 1_000_000) else { return };
    let mut end = 0;
    for chunk in chunk::cut(&note, max_chars) {
        let range = chunk.range();
        let between = note.as_str().get(end..range.start).expect("chunks are in order and end at character boundaries");
        assert!(between.trim().is_empty());
        assert!(chunk.note(&note).code_points() <= max_chars);
        if let Some([first, second]) = chunk.halves(&note) {
            assert!(range.start <= first.range().start && first.range().end <= second.range().start);
            assert!(second.range().end <= range.end);
        }
        end = range.end;
    }
    assert!(note.as_str().get(end..).expect("the last chunk ends at a character boundary").trim().is_empty());
});
