//! One batch: its notes are sent together, their answers written as they come. What got no answer, or is to be tried
//! again, is left.

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
    outcome::{Entry, Event, Outcome},
    queue::Events,
};

/// Largest line of an answer: a note of the greatest length, quoted many times over.
const LONGEST_LINE: usize = 64 << 20;

/// A note that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) entry: Entry,
    /// How often it was sent.
    pub(super) tries: u32,
    /// Why it has no answer yet.
    pub(super) why: Option<NoteFailure>,
}

impl Pending {
    pub(super) fn new(entry: Entry) -> Self {
        Self { entry, tries: 0, why: None }
    }

    fn refused(self, why: NoteFailure) -> Self {
        Self { tries: self.tries + 1, why: Some(why), ..self }
    }
}

/// A batch on its way.
pub(super) struct Batch {
    pub(super) client: Arc<Client>,
    pub(super) notes: Vec<Pending>,
    pub(super) events: Events,
    pub(super) window: Arc<Window>,
    pub(super) answered: Arc<Notify>,
    pub(super) keep_text: bool,
}

/// The server's response to one batch.
pub(super) struct BatchResponse {
    /// Notes with an answer that is not to be tried again.
    pub(super) answers: usize,
    /// Notes to be sent again.
    pub(super) left: Vec<Pending>,
    /// Whether the server said that it is busy, and when to come back, where it said that too.
    pub(super) busy: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) batch_outcome: BatchOutcome,
}

/// How a batch ended.
pub(super) enum BatchOutcome {
    Ended,
    /// The connection could not be made, or broke.
    Lost(String),
    /// The server takes no batch of this size.
    TooLarge,
    /// No batch will ever be taken.
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

/// What to be wary of in a result.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ResultWarnings {
    warnings: Vec<Warning>,
    degraded: bool,
}

#[derive(Deserialize)]
struct Warning {
    code: String,
}

fn remarks(result: &str) -> Vec<Cow<'static, str>> {
    let wary: ResultWarnings = serde_json::from_str(result).unwrap_or_default();
    let warnings = wary.warnings.into_iter().map(|warning| Cow::Owned(warning.code));
    warnings.chain(wary.degraded.then_some(Cow::Borrowed("degraded"))).collect()
}

impl Batch {
    /// Sends it and takes the answers.
    pub(super) async fn read(self) -> BatchResponse {
        let mut body = Vec::new();
        for pending in &self.notes {
            // Strings cannot fail to be written.
            let _ = serde_json::to_writer(&mut body, &json!({"text": pending.entry.text}));
            body.push(b'\n');
        }
        let answer = self.client.post(body).await;
        let Self { notes, events, window, answered, keep_text, .. } = self;
        let unanswered = notes.into_iter().map(Some).collect();
        let mut taking = Taking {
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
            Ok(answer) => taking.all(answer).await,
            Err(BatchRefusal::Unreachable(cause)) => {
                let why = client::unreachable(&format!("The server could not be reached: {cause}."));
                (BatchOutcome::Lost(cause), why)
            }
            Err(BatchRefusal::Answered(why)) => (taking.refused(&why), why),
        };
        taking.response(batch_outcome, &why)
    }
}

/// Answers as they are taken.
struct Taking {
    unanswered: Vec<Option<Pending>>,
    events: Events,
    window: Arc<Window>,
    answered: Arc<Notify>,
    keep_text: bool,
    answers: usize,
    left: Vec<Pending>,
    busy: bool,
    retry_after: Option<Duration>,
}

impl Taking {
    /// Takes all lines. Gives how they ended, and why those without one have none.
    async fn all(&mut self, mut answer: Response) -> (BatchOutcome, NoteFailure) {
        let mut response = BytesMut::new();
        let mut rest = None;
        let lost = |cause: String| {
            let why = client::unreachable(&format!("The server went away while it read this note: {cause}."));
            (BatchOutcome::Lost(cause), why)
        };
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => response.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return lost(client::cause(&error)),
            }
            let mut searched = 0;
            while let Some(end) = response.get(searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
                let line = response.split_to(searched + end);
                response.advance(1);
                searched = 0;
                self.line(&line, &mut rest).await;
            }
            if response.len() > LONGEST_LINE {
                return lost("its answer is no line".to_owned());
            }
        }
        if self.unanswered.iter().all(Option::is_none) {
            return (BatchOutcome::Ended, client::unreachable(""));
        }
        match rest {
            // It said why it read no more of them.
            Some(why) => (self.refused(&why), why),
            None => lost("its answer ended too early".to_owned()),
        }
    }

    /// Takes one line. `rest` keeps the last problem that was of no note in particular.
    async fn line(&mut self, line: &[u8], rest: &mut Option<NoteFailure>) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let Some(pending) = self.unanswered.get_mut(line.index).and_then(Option::take) else { return };
        self.window.back(1);
        match (line.result, line.error) {
            (Some(result), _) => {
                self.window.grow();
                let remarks = remarks(result.get());
                self.end(Outcome::read(pending.entry, self.keep_text, &result, remarks)).await;
            }
            (None, error) => {
                let why = NoteFailure::of(line.status, error.unwrap_or_default());
                *rest = Some(why.clone());
                if why.is_busy() {
                    self.is_busy(&why);
                    self.left.push(pending.refused(why));
                } else {
                    let NoteFailure { status, code, problem, .. } = why;
                    self.end(Outcome::failed(pending.entry, self.keep_text, status, &code, &problem)).await;
                }
            }
        }
        self.answered.notify_one();
    }

    fn is_busy(&mut self, why: &NoteFailure) {
        self.busy = true;
        self.retry_after = self.retry_after.max(why.retry_after);
    }

    async fn end(&mut self, outcome: Outcome) {
        self.answers += 1;
        // Where nobody writes any more, the run is about to stop.
        let _ = self.events.send(vec![Event::Ended(outcome)]).await;
    }

    /// What it means that the server took nothing, or nothing more.
    fn refused(&mut self, why: &NoteFailure) -> BatchOutcome {
        match why.status {
            429 | 503 | 504 => {
                self.is_busy(why);
                BatchOutcome::Ended
            }
            413 | 422 => BatchOutcome::TooLarge,
            401 | 403 => BatchOutcome::Fatal(format!(
                "the server refuses the key (it answers {}): give one it knows with --api-key-file",
                why.status
            )),
            404 | 405 | 415 => BatchOutcome::Fatal(format!(
                "the server has no route for batches (it answers {}): is it an older gateway, or another service?",
                why.status
            )),
            status => BatchOutcome::Lost(format!("the server answers {status}")),
        }
    }

    fn response(mut self, batch_outcome: BatchOutcome, why: &NoteFailure) -> BatchResponse {
        let unanswered: Vec<Pending> = self.unanswered.into_iter().flatten().collect();
        self.window.back(unanswered.len());
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
