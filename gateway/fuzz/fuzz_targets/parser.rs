//! Input: a model's answer. Checks that the parser does not panic and that a written record parses to the same record.
#![no_main]

use gateway::extraction::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(parsed) = parse::parse(text) {
        let again = parse::parse(&parsed.record.to_training_json()).expect("a written record parses");
        assert_eq!(again.record, parsed.record);
        assert!(again.repairs.is_empty());
    }
});
