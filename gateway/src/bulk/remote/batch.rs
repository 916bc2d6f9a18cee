//! Sends the notes of one batch together and writes each answer as soon as it arrives. The response lists the notes
//! without an answer and the notes to retry.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::Notify;

use super::{
    client::{self, BatchRefusal, Client, NoteFailure},
    window::Window,
};
use crate::bulk::{
    outcome::{EntryOutcome, Event, QueuedNote},
    queue::OutcomeSender,
};

/// Maximum bytes of a line of an answer: enough for the longest note, quoted many times.
const MAX_LINE: usize = 64 << 20;

/// A note that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) entry: QueuedNote,
    /// How often the note was sent.
    pub(super) tries: u32,
    /// Why the note has no answer yet.
    pub(super) why: Option<NoteFailure>,
}

impl Pending {
    pub(super) fn new(entry: QueuedNote) -> Self {
        Self { entry, tries: 0, why: None }
    }

    fn refused(self, why: NoteFailure) -> Self {
        Self { tries: self.tries + 1, why: Some(why), ..self }
    }
}

/// A batch to send.
pub(super) struct Batch {
    pub(super) client: Arc<Client>,
    pub(super) notes: Vec<Pending>,
    pub(super) events: OutcomeSender,
    pub(super) window: Arc<Window>,
    pub(super) answered: Arc<Notify>,
    pub(super) keep_text: bool,
}

/// The server's response to one batch.
pub(super) struct BatchResponse {
    /// Number of notes with a final answer.
    pub(super) answers: usize,
    /// Notes to send again.
    pub(super) left: Vec<Pending>,
    /// Whether the server said that it is busy, and the pause that it asked for, if any.
    pub(super) busy: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) batch_outcome: BatchOutcome,
}

/// How a batch ended.
pub(super) enum BatchOutcome {
    Ended,
    /// The connection could not be made or broke. The text is the cause.
    Lost(String),
    /// The server accepts no batch of this size.
    TooLarge,
    /// The server will accept no batch at all. The text is the reason.
    Fatal(String),
}

#[derive(Deserialize)]
struct Line<'a> {
    index: usize,
    status: u16,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Value>,
}

/// The parts of a result that are reasons to doubt it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ResultWarnings {
    warnings: Vec<WarningJson>,
    degraded: bool,
}

#[derive(Deserialize)]
struct WarningJson {
    code: String,
}

fn remarks(result: &str) -> Vec<Cow<'static, str>> {
    let warnings_of_result: ResultWarnings = serde_json::from_str(result).unwrap_or_default();
    let warnings = warnings_of_result.warnings.into_iter().map(|warning| Cow::Owned(warning.code));
    warnings.chain(warnings_of_result.degraded.then_some(Cow::Borrowed("degraded"))).collect()
}

impl Batch {
    /// Sends the batch and processes the answers.
    pub(super) async fn read(self) -> BatchResponse {
        let mut body = Vec::new();
        for pending in &self.notes {
            // Writing strings to memory cannot fail.
            let note_date = pending.entry.origin.note_date.map(|day| day.to_string());
            let note = match note_date {
                Some(day) => json!({"text": pending.entry.text, "note_date": day}),
                // An older server does not know `note_date`.
                None => json!({"text": pending.entry.text}),
            };
            let _ = serde_json::to_writer(&mut body, &note);
            body.push(b'\n');
        }
        let answer = self.client.post(body).await;
        let Self { notes, events, window, answered, keep_text, .. } = self;
        let unanswered = notes.into_iter().map(Some).collect();
        let mut progress = BatchProgress {
            unanswered,
            events,
            window,
            answered,
            keep_text,
            answers: 0,
            left: Vec::new(),
            busy: false,
            retry_after: None,
        };
        let (batch_outcome, why) = match answer {
            Ok(answer) => progress.receive_all(answer).await,
            Err(BatchRefusal::Unreachable(cause)) => {
                let why = client::unreachable(&format!("The server could not be reached: {cause}."));
                (BatchOutcome::Lost(cause), why)
            }
            Err(BatchRefusal::Answered(why)) => (progress.refused(&why), why),
        };
        progress.finish(batch_outcome, &why)
    }
}

/// The state of a batch while its answers arrive.
struct BatchProgress {
    unanswered: Vec<Option<Pending>>,
    events: OutcomeSender,
    window: Arc<Window>,
    answered: Arc<Notify>,
    keep_text: bool,
    answers: usize,
    left: Vec<Pending>,
    busy: bool,
    retry_after: Option<Duration>,
}

impl BatchProgress {
    /// Processes all lines. Returns how the batch ended, and the failure of the notes without an answer.
    async fn receive_all(&mut self, mut answer: Response) -> (BatchOutcome, NoteFailure) {
        let mut response = BytesMut::new();
        let mut last_failure = None;
        let lost = |cause: String| {
            let why = client::unreachable(&format!(
                "The connection to the server was lost while it read this note: {cause}."
            ));
            (BatchOutcome::Lost(cause), why)
        };
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => response.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return lost(client::cause(&error)),
            }
            let mut searched = 0;
            while let Some(end) = response.get(searched..).and_then(|part| memchr::memchr(b'\n', part)) {
                let line = response.split_to(searched + end);
                response.advance(1);
                searched = 0;
                self.process_line(&line, &mut last_failure).await;
            }
            if response.len() > MAX_LINE {
                return lost("a line of its answer is too long".to_owned());
            }
        }
        if self.unanswered.iter().all(Option::is_none) {
            return (BatchOutcome::Ended, client::unreachable(""));
        }
        match last_failure {
            // The server said why it read no more notes.
            Some(why) => (self.refused(&why), why),
            None => lost("its answer ended too early".to_owned()),
        }
    }

    /// Processes one line. `last_failure` becomes the failure of this line, if it has one.
    async fn process_line(&mut self, line: &[u8], last_failure: &mut Option<NoteFailure>) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let Some(pending) = self.unanswered.get_mut(line.index).and_then(Option::take) else { return };
        self.window.finished(1);
        match (line.result, line.error) {
            (Some(result), _) => {
                self.window.grow();
                let remarks = remarks(result.get());
                self.write(EntryOutcome::read(pending.entry, self.keep_text, &result, remarks)).await;
            }
            (None, error) => {
                let why = NoteFailure::of(line.status, error.unwrap_or_default());
                *last_failure = Some(why.clone());
                if why.is_busy() {
                    self.record_busy(&why);
                    self.left.push(pending.refused(why));
                } else {
                    let NoteFailure { status, code, problem, .. } = why;
                    self.write(EntryOutcome::failed(pending.entry, self.keep_text, status, &code, &problem)).await;
                }
            }
        }
        self.answered.notify_one();
    }

    fn record_busy(&mut self, why: &NoteFailure) {
        self.busy = true;
        self.retry_after = self.retry_after.max(why.retry_after);
    }

    async fn write(&mut self, outcome: EntryOutcome) {
        self.answers += 1;
        // An error means that the writer has ended: the run is about to stop.
        let _ = self.events.send(vec![Event::Ended(outcome)]).await;
    }

    /// Returns the outcome of a batch that the server refused as a whole, or after its first notes.
    fn refused(&mut self, why: &NoteFailure) -> BatchOutcome {
        match why.status {
            429 | 503 | 504 => {
                self.record_busy(why);
                BatchOutcome::Ended
            }
            413 | 422 => BatchOutcome::TooLarge,
            401 | 403 => BatchOutcome::Fatal(format!(
                "the server refuses the key (it answers {}): give a key that it accepts with --api-key-file",
                why.status
            )),
            404 | 405 | 415 => BatchOutcome::Fatal(format!(
                "the server has no route for batches (it answers {}): is it an older gateway, or another service?",
                why.status
            )),
            status => BatchOutcome::Lost(format!("the server answers {status}")),
        }
    }

    fn finish(mut self, batch_outcome: BatchOutcome, why: &NoteFailure) -> BatchResponse {
        let unanswered: Vec<Pending> = self.unanswered.into_iter().flatten().collect();
        self.window.finished(unanswered.len());
        self.answered.notify_one();
        self.left.extend(unanswered.into_iter().map(|pending| pending.refused(why.clone())));
        BatchResponse {
            answers: self.answers,
            left: self.left,
            busy: self.busy,
            retry_after: self.retry_after,
            batch_outcome,
        }
    }
}
