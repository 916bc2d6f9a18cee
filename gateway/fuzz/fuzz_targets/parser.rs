//! Model output: never a panic, and what is a record stays that record when it is written and read again.
#![no_main]

use gateway::extraction::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(parsed) = parse::parse(text) {
        let again = parse::parse(&parsed.record.to_training_json()).expect("a record reads as itself");
        assert_eq!(again.record, parsed.record);
        assert!(again.repairs.is_empty());
    }
});
