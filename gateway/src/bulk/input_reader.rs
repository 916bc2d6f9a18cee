//! Gives the notes of the inputs their ids, and passes those of this run on to the reader.

use tokio::sync::mpsc::{Sender, WeakSender};

use super::{
    counts,
    ids::{NoteStatus, RunIds},
    input::{InputFormat, InputNote, Source},
    outcome::{EntryOutcome, Event, QueuedNote, SkippedNote},
    selection::{NoteSelection, Selection},
    shard::Shard,
    status::print_status,
    tool_ids::ToolIds,
};

/// What the inputs had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InputCounts {
    /// Notes of all inputs.
    pub(super) all: u64,
    /// Notes of the shard.
    pub(super) own: u64,
    /// Results of earlier runs for which the inputs have no note.
    pub(super) strange: u64,
}

/// What the thread that reads the inputs needs, beside the inputs.
pub(super) struct InputReader {
    pub(super) ids: RunIds,
    pub(super) tool_ids: ToolIds,
    /// Whether outcomes keep the texts of their notes.
    pub(super) keep_text: bool,
    /// Whether empty notes are left out.
    pub(super) skip_empty: bool,
    /// The part of the inputs that is read; all of it if `None`.
    pub(super) shard: Option<Shard>,
    /// Chooses the notes that the model reads; it reads all of them if `None`.
    pub(super) selection: Option<Selection>,
    pub(super) counts: InputCounts,
}

impl InputReader {
    /// Sends every note of the inputs to the reader, until the inputs end or the reader has stopped. Returns what the
    /// inputs had; `None` if they were not read to their end.
    pub(super) fn send_all(
        mut self,
        sources: &[Source],
        form: &InputFormat,
        sender: &Sender<QueuedNote>,
        events: &WeakSender<Vec<Event>>,
    ) -> Option<InputCounts> {
        let mut empty = 0u64;
        self.counts.strange = self.ids.earlier();
        for source in sources {
            let more = source.read(form, sources.len() > 1, &mut |note| {
                if self.skip_empty && note.text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
                    empty += 1;
                    return true;
                }
                self.send(note, sender, events)
            });
            if !more {
                return None;
            }
        }
        if empty > 0 {
            print_status(&format!("{} empty note(s) were left out (--skip-empty)", counts::grouped(empty)));
        }
        Some(self.counts)
    }

    /// Sends one note on, unless it is of another shard. Returns false if no more notes are wanted.
    fn send(&mut self, note: InputNote, sender: &Sender<QueuedNote>, events: &WeakSender<Vec<Event>>) -> bool {
        // The upgrade fails once the reader has stopped: then the writer has stopped too.
        let report = |event| events.upgrade().is_some_and(|events| events.blocking_send(vec![event]).is_ok());
        let position = self.counts.all;
        self.counts.all += 1;
        // Notes of other shards get their ids too, so that every shard finds the same repeated ids.
        let status = self.checked(note);
        if self.shard.is_some_and(|shard| !shard.has(position)) {
            return !sender.is_closed();
        }
        self.counts.own += 1;
        match status {
            NoteStatus::New(entry) => match &self.selection {
                None => sender.blocking_send(entry).is_ok(),
                Some(selection) => match selection.sort(entry, self.keep_text) {
                    NoteSelection::ForModel(entry) => sender.blocking_send(entry).is_ok(),
                    NoteSelection::Skipped(outcome) => !sender.is_closed() && report(Event::Ended(outcome)),
                },
            },
            NoteStatus::Faulty(entry, fault) => {
                let outcome = EntryOutcome::faulty(entry, self.keep_text, fault);
                !sender.is_closed() && report(Event::Ended(outcome))
            }
            NoteStatus::Done(entry, offset) => {
                self.counts.strange = self.counts.strange.saturating_sub(1);
                let QueuedNote { id, text, weight, .. } = entry;
                let skipped = SkippedNote { offset, id, text: self.keep_text.then_some(text), weight };
                !sender.is_closed() && report(Event::Skipped(skipped))
            }
        }
    }

    /// Gives a note its id. The note is faulty if the tool of the output format does not accept the id.
    fn checked(&mut self, note: InputNote) -> NoteStatus {
        match self.ids.name(note) {
            NoteStatus::New(note) => match self.tool_ids.refusal(&note) {
                Some(fault) => NoteStatus::Faulty(note, fault),
                None => NoteStatus::New(note),
            },
            other => other,
        }
    }
}
