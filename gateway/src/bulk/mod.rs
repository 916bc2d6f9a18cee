//! `gateway extract`: many notes from the command line, read here or by a running gateway.
//!
//! Inputs are a stream, ids are unique, results are written as they come and a run that was stopped can be gone
//! on with. A note that fails is written with its error and never stops the others. Nothing of a note is ever
//! said on standard error.

mod arguments;
mod counts;
mod ending;
mod error;
mod ids;
mod input;
mod local;
mod outcome;
mod output;
mod pause;
mod progress;
mod queue;
mod remote;
mod resume;
mod review;
mod stop;
mod writer;

use std::io::{self, IsTerminal};

pub use self::{
    arguments::{Arguments, Format},
    error::BulkError,
};
use self::{
    counts::RunCounts,
    ids::{CompletedNotes, Ids, NoteStatus},
    input::{Form, Source},
    local::{Ending, LocalEngine, RunOptions},
    outcome::{Event, Outcome, Skipped},
    output::Sink,
    progress::{Progress, say},
    remote::RemoteGateway,
    review::Review,
    stop::Stop,
    writer::Writer,
};
use crate::config::Settings;

/// The exit code after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Columns of the table where nobody knows how wide the terminal is.
const USUAL_WIDTH: usize = 160;
/// Bytes of the longest note that is sent to a server, which has a limit of its own.
const LONGEST_SENT: usize = 8 << 20;

/// Reads all notes, and gives the exit code. `engine_named`: whether the command line names an engine.
pub async fn run(arguments: Arguments, settings: Settings, engine_named: bool) -> Result<u8, BulkError> {
    arguments.check(engine_named)?;
    let longest = match arguments.server {
        Some(_) => LONGEST_SENT,
        None => settings.limits.max_note_chars.saturating_mul(4),
    };
    let form = Form { text: arguments.text_column.clone(), id: arguments.id_column.clone(), longest };
    let (sources, size) = Source::all(&arguments.inputs, &form)?;
    let stop = Stop::on_signals().map_err(|error| BulkError::Failed(format!("no signals can be had: {error}")))?;
    let reader = Reader::ready(&arguments, &settings, &stop).await?;
    let (sink, done) = open(&arguments)?;
    let review = arguments.review.as_deref().map(Review::create).transpose()?;
    let on_terminal = arguments.out.is_none() && io::stdout().is_terminal();
    let writer =
        Writer { sink, review, counts: RunCounts::new(size), progress: Progress::new(size.bytes, on_terminal) };

    let (giver, entries) = queue::entries();
    let (events, written) = queue::events();
    let keep_text = arguments.review.is_some();
    // Weak: it may sit in a read that never ends, and the writer must not wait for it.
    let (ids, told) = (Ids::new(done), events.downgrade());
    let giving = std::thread::spawn(move || give_all(&sources, &form, ids, keep_text, &giver, &told));
    let halt = stop.token.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let ended = writer.run(written);
        if ended.1.is_err() {
            halt.cancel();
        }
        ended
    });
    let ending = reader.read_all(entries, events, stop.token.clone()).await;
    let (writer, outcome) = writing.await.map_err(|_| fault("writing"))?;
    // Where the run was stopped it may sit in a read of standard input that never ends; else it has ended.
    if !stop.token.is_cancelled() && giving.join().is_err() {
        return Err(fault("reading the inputs"));
    }
    ending::finish(&arguments, writer, outcome, &ending, &stop)
}

/// What must not happen. It is said, because the run would otherwise look complete.
fn fault(at: &str) -> BulkError {
    BulkError::Failed(format!("{at} broke off by a fault of this program; with --resume, what is written is kept"))
}

/// Who reads the notes.
enum Reader {
    LocalEngine(LocalEngine),
    RemoteGateway(RemoteGateway),
}

impl Reader {
    async fn ready(arguments: &Arguments, settings: &Settings, stop: &Stop) -> Result<Self, BulkError> {
        let wanted = RunOptions {
            concurrency: arguments.concurrency.map(usize::from),
            retries: arguments.retries,
            keep_text: arguments.review.is_some(),
        };
        let ready = async {
            match &arguments.server {
                Some(url) => {
                    RemoteGateway::ready(url, arguments.api_key_file.as_deref(), wanted).await.map(Self::RemoteGateway)
                }
                None => LocalEngine::ready(settings, wanted).await.map(Self::LocalEngine),
            }
        };
        tokio::select! { ready = ready => ready, () = stop.token.cancelled() => Err(BulkError::Interrupted) }
    }

    async fn read_all(
        self,
        entries: queue::Entries,
        events: queue::Events,
        stop: tokio_util::sync::CancellationToken,
    ) -> Ending {
        match self {
            Self::LocalEngine(local) => local.read_all(entries, events, stop).await,
            Self::RemoteGateway(remote) => remote.read_all(entries, events, stop).await,
        }
    }
}

fn open(arguments: &Arguments) -> Result<(Sink, CompletedNotes), BulkError> {
    let width = console::Term::stdout().size_checked().map_or(USUAL_WIDTH, |(_, columns)| usize::from(columns));
    let format = arguments.format();
    let form = output::Form::new(format, width);
    match &arguments.out {
        None => Ok((Sink::stdout(form), CompletedNotes::new())),
        Some(path) if arguments.resume => {
            let resumed = resume::open(path, format)?;
            let torn = if resumed.torn { "; a line that was torn was taken out" } else { "" };
            say(&format!(
                "going on with {}: {} notes are done, {} that failed are tried again{torn}",
                path.display(),
                counts::grouped(resumed.done.len() as u64),
                counts::grouped(resumed.failed)
            ));
            Ok((Sink::append(path, resumed.file, form)?, resumed.done))
        }
        Some(path) => Ok((Sink::create(path, form)?, CompletedNotes::new())),
    }
}

/// Gives every note of the inputs its id and hands it on, until all are, or nobody takes them any more.
fn give_all(
    sources: &[Source],
    form: &Form,
    mut ids: Ids,
    keep_text: bool,
    giver: &tokio::sync::mpsc::Sender<outcome::Entry>,
    events: &tokio::sync::mpsc::WeakSender<Vec<Event>>,
) {
    // Once nobody reads notes any more, there is nobody to tell either.
    let tell = |event| events.upgrade().is_some_and(|events| events.blocking_send(vec![event]).is_ok());
    for source in sources {
        let more = source.read(form, sources.len() > 1, &mut |given| match ids.name(given) {
            NoteStatus::New(entry) => giver.blocking_send(entry).is_ok(),
            NoteStatus::Faulty(entry, fault) => {
                let outcome = Outcome::problem(entry, keep_text, &fault.problem());
                !giver.is_closed() && tell(Event::Ended(outcome))
            }
            NoteStatus::Done(entry, offset) => {
                let outcome::Entry { id, text, weight } = entry;
                let skipped = Skipped { offset, id, text: keep_text.then_some(text), weight };
                !giver.is_closed() && tell(Event::Skipped(skipped))
            }
        });
        if !more {
            return;
        }
    }
}
