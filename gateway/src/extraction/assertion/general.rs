//! Recognises statements about the stages of patients in general: "Per NCCN, stage IV gets systemic therapy".

use std::ops::Range;

use super::Context;
use crate::steps;

/// Bytes of the sentence before a stage that are read.
const REACH: usize = 240;
/// Sources that describe patients in general. AJCC and FIGO are missing, because they name the system of a patient's
/// own stage.
const SOURCES: [&str; 7] = ["nccn", "esmo", "asco", "guideline", "literature", "consensus", "published"];
/// Words that tie a sentence to this patient.
const OWN: [&str; 17] = [
    "patient",
    "pt",
    "she",
    "he",
    "her",
    "his",
    "this",
    "our",
    "we",
    "my",
    "mrs",
    "mr",
    "ms",
    "staged",
    "today",
    "diagnosed",
    "presents",
];
/// Words between a group of patients and their stage: "for patients with resected stage III disease".
const MOST_BETWEEN: usize = 4;

impl Context<'_> {
    /// Returns whether the sentence before this range describes patients in general, and not this patient.
    pub(super) fn is_general(&self, range: &Range<usize>) -> bool {
        let sentence = self.sentence_at(range.start);
        let from = sentence.start.max(range.start.saturating_sub(REACH));
        let before = self.lower(from..range.start);
        steps::count(before.len());
        let words: Vec<&str> = before.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        if words.iter().any(|word| OWN.contains(word)) {
            return false;
        }
        // "NCCN stage IIB" and "by NCCN criteria stage IIB" name the system of the patient's own stage, "per NCCN,
        // stage IIB ..." a source.
        let has_source = words.iter().enumerate().any(|(at, word)| {
            let before = at.checked_sub(1).and_then(|before| words.get(before)).copied().unwrap_or_default();
            let linked = matches!(before, "per" | "to" | "on" | "the" | "current");
            SOURCES.iter().any(|source| word.starts_with(source)) && before != "by" && (linked || at + 1 < words.len())
        });
        let group = words
            .iter()
            .rev()
            .take(MOST_BETWEEN + 1)
            .position(|word| matches!(*word, "patients" | "adults" | "women" | "men"));
        let of_group =
            group.is_some_and(|at| words.iter().rev().take(at).any(|word| matches!(*word, "with" | "in" | "have")));
        has_source || of_group
    }
}
