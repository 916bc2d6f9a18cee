//! Chooses the notes that the model reads (`--select`): those in which the rules see oncology, and a sample of the others.
//!
//! A note that the model does not read has the answer of the rules and the warning `model_skipped`, so that it differs
//! from a note in which nothing was found. A note of the sample has the warning `model_sampled`.

mod arguments;
mod counts;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::arguments::SelectionArguments;
use self::arguments::Share;
pub(super) use self::counts::SelectionCounts;
use super::outcome::{EntryOutcome, InputWarning, QueuedNote, Selected};
use crate::{
    admission::Admission,
    extraction::{Answer, AnswerOptions, Deadline, EngineRequest, Note, Pipeline, TokenBudget},
    rules::{RulesEngine, may_concern_oncology},
};

/// The codes of the warnings.
const SKIPPED: &str = "model_skipped";
const SAMPLED: &str = "model_sampled";
/// Prefix of what is hashed for the sample. It makes the sample independent of other choices by a hash of the text.
const SAMPLE_DOMAIN: &[u8] = b"gateway extract --select sample\0";
/// The shares of [`Share`] in a whole.
const MILLION: u64 = 1_000_000;
/// More than the rules need for the longest note.
const LONGEST: Duration = Duration::from_mins(10);

/// Chooses the notes that the model reads.
pub(super) struct Selection {
    sample: Share,
    rules: Pipeline,
}

/// Which engine reads a note.
pub(super) enum NoteSelection {
    ForModel(QueuedNote),
    Skipped(EntryOutcome),
}

impl Selection {
    /// Returns the choice of the command line; `None` if the model reads all notes.
    pub(super) fn of(arguments: &SelectionArguments) -> Option<Self> {
        arguments.select?;
        let rules = Pipeline::new(Arc::new(RulesEngine::warming_up()), Admission::new(1, 1), usize::MAX);
        Some(Self { sample: arguments.select_sample.unwrap_or_default(), rules })
    }

    /// Decides about a note. A note that the rules refuse or that makes them fail goes to the model.
    pub(super) fn sort(&self, mut entry: QueuedNote, keep_text: bool) -> NoteSelection {
        entry.selected = Some(Selected::Seen);
        let Ok(note) = Note::new(entry.text.clone(), usize::MAX) else { return NoteSelection::ForModel(entry) };
        if catch_unwind(|| may_concern_oncology(&note)).unwrap_or(true) {
            return NoteSelection::ForModel(entry);
        }
        if is_sampled(&entry.text, self.sample) {
            entry.selected = Some(Selected::Sampled);
            entry.warnings.push(warning(
                SAMPLED,
                "The rules see no oncology in this note. The model read it in a sample of such notes, which shows what \
                 --select misses.",
            ));
            return NoteSelection::ForModel(entry);
        }
        let Some(answer) = self.answer(&note, &entry) else { return NoteSelection::ForModel(entry) };
        entry.selected = Some(Selected::Skipped);
        entry.warnings.push(warning(
            SKIPPED,
            "The rules see no oncology in this note, so the model did not read it (--select). An empty field does not \
             mean that the note has no value.",
        ));
        let remarks = answer.warnings.iter().map(|warning| warning.code.name().into()).collect();
        NoteSelection::Skipped(EntryOutcome::read(entry, keep_text, &answer, remarks))
    }

    /// Returns the answer of the rules; `None` if they fail.
    fn answer(&self, note: &Note, entry: &QueuedNote) -> Option<Answer> {
        let id = Uuid::now_v7().to_string();
        let request = EngineRequest::plain(TokenBudget::Adjustable(1), Arc::from(id));
        let options = AnswerOptions { note_date: entry.origin.note_date, ..AnswerOptions::default() };
        let read = AssertUnwindSafe(|| {
            // Without a pool of threads the rules never wait.
            self.rules.extract(note, &request, options, Deadline::after(LONGEST)).now_or_never()
        });
        let (answer, _) = catch_unwind(read).ok()??.ok()?;
        // The rules found no oncology terms when the note was selected. If they find values now, the model reads the
        // note.
        answer.record.is_empty().then_some(answer)
    }
}

fn warning(code: &'static str, message: &str) -> InputWarning {
    InputWarning { code, message: message.to_owned() }
}

/// Returns whether a note is in the sample. It depends on the text alone, so that the choice is the same in every run and
/// every shard.
fn is_sampled(text: &str, share: Share) -> bool {
    let digest = Sha256::new().chain_update(SAMPLE_DOMAIN).chain_update(text).finalize();
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    number % MILLION < u64::from(share.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_share_of_the_texts_and_always_the_same() {
        let texts: Vec<String> = (0..20_000).map(|number| format!("Knee pain after fall {number}.")).collect();
        let sampled = |share| texts.iter().filter(|text| is_sampled(text, Share(share))).count();
        assert_eq!((sampled(0), sampled(1_000_000)), (0, texts.len()));
        let (one, ten) = (sampled(10_000), sampled(100_000));
        assert!((150..250).contains(&one) && (1_800..2_200).contains(&ten), "{one} {ten}");
        let both = |text: &&String| is_sampled(text, Share(10_000)) && !is_sampled(text, Share(100_000));
        assert_eq!(texts.iter().filter(both).count(), 0, "a larger sample has the smaller one");
        // Another version of the program has the same sample.
        let first: Vec<usize> = (0..texts.len()).filter(|&at| is_sampled(&texts[at], Share(1_000))).take(3).collect();
        assert_eq!(first, [116, 3030, 3607]);
    }
}
