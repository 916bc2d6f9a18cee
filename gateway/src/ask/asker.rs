//! Answers one question: the site's red flags first, then the record, then the model if one is configured.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future;
use tokio::sync::mpsc;

use super::{
    answer::{
        AskAnswer, AskQuote, AskSource, DISCLAIMER, EMERGENCY, NAMED_ONLY, NO_MODEL, NOT_SAID, REFUSED, UNREAD,
        WITHHELD,
    },
    draft::{ModelDraft, QuoteReader},
    gate::{Gate, ModelReply},
    question::Question,
    record::{self, RecordReply},
    red_flags::RedFlags,
};
use crate::{
    admission::{Admission, AdmissionError},
    extraction::{
        AnswerOptions, CalendarDate, CpuPool, Deadline, EngineError, EngineRequest, ExtractError, Finish, ModelName,
        ModelText, Note, OffsetUnit, Pipeline, run_on_cpu,
    },
};

/// An earlier question of the caller with its answer. The caller sends it again each time; nothing is kept here.
#[derive(Clone)]
pub struct EarlierQuestion {
    /// What was asked.
    pub question: String,
    /// What was answered.
    pub answer: String,
}

impl fmt::Debug for EarlierQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EarlierQuestion({} bytes)", self.question.len() + self.answer.len())
    }
}

/// A question about a note.
pub struct NoteQuestion {
    /// The note.
    pub note: Note,
    /// The question.
    pub question: String,
    /// Earlier questions and answers, for the model only.
    pub history: Vec<EarlierQuestion>,
    /// The unit of the offsets.
    pub offsets: OffsetUnit,
    /// The day on which the note was written.
    pub note_date: Option<CalendarDate>,
}

impl fmt::Debug for NoteQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteQuestion({:?}, {} turns)", self.note, self.history.len())
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
        asked: &'a NoteQuestion,
        request: &'a EngineRequest,
        sink: TextSink<'a>,
        deadline: Deadline,
    ) -> WrittenFuture<'a>;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The note was not read, or the model was not asked.
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

/// An answer, and what the audit may record about it.
#[derive(Debug)]
pub struct Reply {
    /// The answer for the caller.
    pub answer: AskAnswer,
    /// Tokens of the model.
    pub tokens: u32,
}

/// Receives what is known before the whole answer.
pub trait AskSink: Send + Sync {
    /// A quote that is in the note.
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
    cpu_pool: Option<CpuPool>,
}

/// A question that is being answered.
#[derive(Clone, Copy)]
struct Asking<'a> {
    asked: &'a NoteQuestion,
    request: &'a EngineRequest,
    sink: &'a dyn AskSink,
    deadline: Deadline,
}

impl Asker {
    /// Returns an asker that answers from the record of `rules` alone.
    #[must_use]
    pub fn new(rules: Pipeline, red_flags: RedFlags) -> Self {
        Self { rules, red_flags, model: None, admission: Admission::new(1, 0), cpu_pool: None }
    }

    /// Returns the asker with a model for questions that the record cannot hold.
    #[must_use]
    pub fn with_model(self, model: Arc<dyn AskModel>, admission: Arc<Admission>) -> Self {
        Self { model: Some(model), admission, ..self }
    }

    /// Returns the asker set up to search long notes for answers on these cores, outside the async workers.
    #[must_use]
    pub fn with_cpu_pool(self, cpu_pool: CpuPool) -> Self {
        Self { cpu_pool: Some(cpu_pool), ..self }
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
        asked: &NoteQuestion,
        request: &EngineRequest,
        sink: &dyn AskSink,
        deadline: Deadline,
    ) -> Result<Reply, AskError> {
        let asking = Asking { asked, request, sink, deadline };
        let fixed = |text: &str, source| asking.reply(text.to_owned(), source, Vec::new(), false);
        if self.red_flags.are_in(&asked.question) {
            return Ok(fixed(EMERGENCY, AskSource::Emergency));
        }
        let question = Arc::new(Question::of(&asked.question));
        if question.is_refused() {
            return Ok(fixed(REFUSED, AskSource::None));
        }
        let options =
            AnswerOptions { offsets: OffsetUnit::Byte, note_date: asked.note_date, ..AnswerOptions::default() };
        let (answer, _) = self.rules.extract(&asked.note, request, options, deadline).await?;
        let (note, unit, of_record) = (asked.note.clone(), asked.offsets, Arc::clone(&question));
        let look_up = move || {
            let reply = record::reply(&note, &answer, &of_record);
            let quotes = AskQuote::of(&note, unit, reply.quotes());
            (reply, quotes)
        };
        let (reply, quotes) = self.run(asking, look_up).await?;
        let otherwise = match reply {
            RecordReply::Found { answer, .. } => return Ok(asking.found(answer, quotes, true)),
            RecordReply::Silent => return Ok(fixed(NOT_SAID, AskSource::Record)),
            RecordReply::Named(_) => NAMED_ONLY,
            RecordReply::Unread => UNREAD,
            RecordReply::NotCovered => NO_MODEL,
        };
        let Some(model) = &self.model else {
            return Ok(if quotes.is_empty() {
                fixed(otherwise, AskSource::None)
            } else {
                asking.found(otherwise.to_owned(), quotes, false)
            });
        };
        match self.ask_model(&**model, asking, question).await {
            // What the record knows is still true if the model fails.
            Err(_) if !quotes.is_empty() => Ok(asking.found(NAMED_ONLY.to_owned(), quotes, false)),
            outcome => outcome,
        }
    }

    async fn ask_model(
        &self,
        model: &dyn AskModel,
        asking: Asking<'_>,
        question: Arc<Question>,
    ) -> Result<Reply, AskError> {
        let Asking { asked, request, sink, deadline } = asking;
        let (note, unit) = (asked.note.clone(), asked.offsets);
        let gate = Arc::new(self.run(asking, move || Gate::of(note, question)).await?);
        let lease = self.admission.acquire(&request.priority, deadline).await.map_err(|refused| match refused {
            AdmissionError::QueueFull => ExtractError::QueueFull,
            AdmissionError::DeadlineExceeded => EngineError::DeadlineExceeded.into(),
        })?;
        let (complete, mut quotes) = mpsc::unbounded_channel();
        let reader = Mutex::new(QuoteReader::default());
        // The caller of this closure reads the model's answer, so it only searches for the ends of the quotes.
        let pass_on = move |text: &str| {
            for quote in reader.lock().unwrap_or_else(PoisonError::into_inner).read(text) {
                let _ = complete.send(quote);
            }
        };
        let write = async move {
            let written = model.write(asked, request, &pass_on, deadline).await;
            lease.end();
            written
        };
        let check = async {
            while let Some(quote) = quotes.recv().await {
                let gate = Arc::clone(&gate);
                // A quote that cannot be checked in time is not shown before the end.
                if let Ok(Some(quote)) = self.run(asking, move || gate.quote(&quote, unit)).await {
                    sink.quote(quote);
                }
            }
        };
        let (written, ()) = future::join(write, check).await;
        let written = written?;
        if written.finish == Finish::OutOfTokens {
            return Err(ExtractError::Truncated.into());
        }
        let draft = ModelDraft::parse(written.text.as_str()).ok_or(AskError::Unusable)?;
        let (reply, quotes) = self.run(asking, move || gate.reply(&draft, unit)).await?;
        let (text, grounded) = match reply {
            ModelReply::Silent => (NOT_SAID.to_owned(), false),
            ModelReply::Quotes => (WITHHELD.to_owned(), false),
            ModelReply::Answer(text) => {
                sink.answer(&text);
                (text, true)
            }
        };
        Ok(Reply { tokens: written.tokens, ..asking.reply(text, AskSource::Model, quotes, grounded) })
    }

    /// Runs work that takes time in proportion to the note: outside the async workers if the note is long.
    async fn run<T: Send + 'static>(
        &self,
        asking: Asking<'_>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let size = asking.asked.note.as_str().len();
        run_on_cpu(self.cpu_pool.as_ref(), size, &asking.request.priority, asking.deadline, work).await
    }
}

impl Asking<'_> {
    /// Passes an answer of the record on, and returns it.
    fn found(self, text: String, quotes: Vec<AskQuote>, grounded: bool) -> Reply {
        for quote in &quotes {
            self.sink.quote(quote.clone());
        }
        self.sink.answer(&text);
        self.reply(text, AskSource::Record, quotes, grounded)
    }

    fn reply(self, answer: String, source: AskSource, quotes: Vec<AskQuote>, grounded: bool) -> Reply {
        let request_id = self.request.request_id.to_string();
        Reply { answer: AskAnswer { answer, quotes, source, grounded, disclaimer: DISCLAIMER, request_id }, tokens: 0 }
    }
}
