//! Answers one question: the site's red flags first, then the record, then the model if one is configured.

use std::{fmt, pin::Pin, sync::Arc};

use super::{
    answer::{
        AskAnswer, AskQuote, AskSource, DISCLAIMER, EMERGENCY, NAMED_ONLY, NO_MODEL, NOT_SAID, REFUSED, UNREAD,
        WITHHELD,
    },
    draft::{ModelDraft, complete_quotes},
    gate::{Gate, ModelReply},
    question::Question,
    record::{self, RecordReply},
    red_flags::RedFlags,
};
use crate::{
    admission::{Admission, AdmissionError},
    extraction::{
        AnswerOptions, CalendarDate, Deadline, EngineError, EngineRequest, ExtractError, Finish, ModelName, ModelText,
        Note, OffsetUnit, Pipeline,
    },
};

/// An earlier question of the caller with its answer. The caller sends it again each time; nothing is kept here.
#[derive(Clone)]
pub struct Turn {
    /// What was asked.
    pub question: String,
    /// What was answered.
    pub answer: String,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turn({} bytes)", self.question.len() + self.answer.len())
    }
}

/// A question about a note.
pub struct Asked {
    /// The note.
    pub note: Note,
    /// The question.
    pub question: String,
    /// Earlier questions and answers, for the model only.
    pub history: Vec<Turn>,
    /// The unit of the offsets.
    pub offsets: OffsetUnit,
    /// The day on which the note was written.
    pub note_date: Option<CalendarDate>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asked({:?}, {} turns)", self.note, self.history.len())
    }
}

/// What a model wrote.
#[derive(Debug)]
pub struct Written {
    /// The text, which is as confidential as the note.
    pub text: ModelText,
    /// How it ended.
    pub finish: Finish,
    /// Prompt and answer tokens; 0 if the server reports none.
    pub tokens: u32,
}

/// Receives the text so far whenever a model has written more of it.
pub type TextSink<'a> = &'a (dyn Fn(&str) + Send + Sync);
/// The future of what a model writes.
pub type WrittenFuture<'a> = Pin<Box<dyn Future<Output = Result<Written, EngineError>> + Send + 'a>>;

/// A model that answers questions about a note with a JSON object: found, quotes, answer. Dropping the future cancels the
/// call.
pub trait AskModel: Send + Sync + fmt::Debug {
    /// Returns the name of the model.
    fn name(&self) -> &ModelName;

    /// Asks the model.
    fn write<'a>(
        &'a self,
        asked: &'a Asked,
        request: &'a EngineRequest,
        sink: TextSink<'a>,
        deadline: Deadline,
    ) -> WrittenFuture<'a>;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The note was not read, or the model not asked.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The model wrote something else than was asked for.
    #[error("the model's output is not of the form that was asked for")]
    Unusable,
}

impl From<EngineError> for AskError {
    fn from(error: EngineError) -> Self {
        Self::Extract(error.into())
    }
}

/// An answer, and what the audit may know of it.
#[derive(Debug)]
pub struct Reply {
    /// The answer for the caller.
    pub answer: AskAnswer,
    /// Tokens of the model.
    pub tokens: u32,
}

/// Receives what is known before the whole answer.
pub trait AskSink: Send + Sync {
    /// A quote that stands in the note.
    fn quote(&self, quote: AskQuote);
    /// The answer, as far as it is known; only the whole answer at the end counts.
    fn answer(&self, answer: &str);
}

/// A sink that passes nothing on.
#[derive(Debug)]
pub struct NoSink;

impl AskSink for NoSink {
    fn quote(&self, _: AskQuote) {}
    fn answer(&self, _: &str) {}
}

/// Answers questions.
#[derive(Debug)]
pub struct Asker {
    /// Reads notes with the rules.
    rules: Pipeline,
    red_flags: RedFlags,
    model: Option<Arc<dyn AskModel>>,
    /// The calls to the model.
    admission: Arc<Admission>,
}

impl Asker {
    /// Returns an asker that answers from the record of `rules` alone.
    #[must_use]
    pub fn new(rules: Pipeline, red_flags: RedFlags) -> Self {
        Self { rules, red_flags, model: None, admission: Admission::new(1, 0) }
    }

    /// Returns the asker with a model for questions that the record cannot hold.
    #[must_use]
    pub fn with_model(self, model: Arc<dyn AskModel>, admission: Arc<Admission>) -> Self {
        Self { model: Some(model), admission, ..self }
    }

    /// Returns the name of the model; `None` if there is none.
    #[must_use]
    pub fn model(&self) -> Option<&ModelName> {
        self.model.as_ref().map(|model| model.name())
    }

    /// Returns the admission of the calls to the model.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Answers a question.
    pub async fn ask(
        &self,
        asked: &Asked,
        request: &EngineRequest,
        sink: &dyn AskSink,
        deadline: Deadline,
    ) -> Result<Reply, AskError> {
        let fixed = |text: &str, source| self.reply(asked, request, text.to_owned(), source, &[], false);
        if self.red_flags.are_in(&asked.question) {
            return Ok(fixed(EMERGENCY, AskSource::Emergency));
        }
        let question = Question::of(&asked.question);
        if question.is_refused() {
            return Ok(fixed(REFUSED, AskSource::None));
        }
        let options =
            AnswerOptions { offsets: OffsetUnit::Byte, note_date: asked.note_date, ..AnswerOptions::default() };
        let (answer, _) = self.rules.extract(&asked.note, request, options, deadline).await?;
        let reply = record::reply(&asked.note, &answer, &question);
        let found = |text: String, ranges: &[std::ops::Range<usize>], grounded| {
            for quote in AskQuote::of(&asked.note, asked.offsets, ranges) {
                sink.quote(quote);
            }
            sink.answer(&text);
            self.reply(asked, request, text, AskSource::Record, ranges, grounded)
        };
        let (from_record, otherwise) = match reply {
            RecordReply::Found { answer, quotes } => return Ok(found(answer, &quotes, true)),
            RecordReply::Silent => return Ok(fixed(NOT_SAID, AskSource::Record)),
            RecordReply::Named(sentences) => (Some(sentences), NAMED_ONLY),
            RecordReply::Unread => (None, UNREAD),
            RecordReply::NotCovered => (None, NO_MODEL),
        };
        let Some(model) = &self.model else {
            return Ok(match from_record {
                Some(sentences) => found(otherwise.to_owned(), &sentences, false),
                None => fixed(otherwise, AskSource::None),
            });
        };
        match (self.ask_model(&**model, asked, &question, request, sink, deadline).await, from_record) {
            // What the record knows is still true if the model fails.
            (Err(_), Some(sentences)) => Ok(found(NAMED_ONLY.to_owned(), &sentences, false)),
            (outcome, _) => outcome,
        }
    }

    async fn ask_model(
        &self,
        model: &dyn AskModel,
        asked: &Asked,
        question: &Question,
        request: &EngineRequest,
        sink: &dyn AskSink,
        deadline: Deadline,
    ) -> Result<Reply, AskError> {
        let lease = self.admission.acquire(&request.priority, deadline).await.map_err(|refused| match refused {
            AdmissionError::QueueFull => ExtractError::QueueFull,
            AdmissionError::DeadlineExceeded => EngineError::DeadlineExceeded.into(),
        })?;
        let gate = Gate::of(&asked.note, question);
        // The quotes that were sent, and whether the draft is whole.
        let progress = std::sync::Mutex::new((0, false));
        let pass_on = |text: &str| {
            let mut progress = progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (sent, whole) = &mut *progress;
            if *whole {
                return;
            }
            let quotes = complete_quotes(text);
            for range in quotes.iter().skip(*sent).filter_map(|quote| gate.quote(quote)) {
                for quote in AskQuote::of(&asked.note, asked.offsets, &[range]) {
                    sink.quote(quote);
                }
            }
            *sent = quotes.len().max(*sent);
            let reply = ModelDraft::parse(text).map(|draft| gate.reply(&draft));
            *whole = reply.is_some();
            if let Some(ModelReply::Answer(answer, _)) = reply {
                sink.answer(&answer);
            }
        };
        let written = model.write(asked, request, &pass_on, deadline).await;
        lease.end();
        let written = written?;
        if written.finish == Finish::OutOfTokens {
            return Err(ExtractError::Truncated.into());
        }
        let draft = ModelDraft::parse(written.text.as_str()).ok_or(AskError::Unusable)?;
        let (text, ranges, grounded) = match gate.reply(&draft) {
            ModelReply::Silent => (NOT_SAID.to_owned(), Vec::new(), false),
            ModelReply::Quotes(ranges) => (WITHHELD.to_owned(), ranges, false),
            ModelReply::Answer(text, ranges) => (text, ranges, true),
        };
        let reply = self.reply(asked, request, text, AskSource::Model, &ranges, grounded);
        Ok(Reply { tokens: written.tokens, ..reply })
    }

    #[expect(clippy::unused_self, reason = "it belongs to the answers of an asker")]
    fn reply(
        &self,
        asked: &Asked,
        request: &EngineRequest,
        answer: String,
        source: AskSource,
        ranges: &[std::ops::Range<usize>],
        grounded: bool,
    ) -> Reply {
        let quotes = AskQuote::of(&asked.note, asked.offsets, ranges);
        let request_id = request.request_id.to_string();
        Reply { answer: AskAnswer { answer, quotes, source, grounded, disclaimer: DISCLAIMER, request_id }, tokens: 0 }
    }
}
