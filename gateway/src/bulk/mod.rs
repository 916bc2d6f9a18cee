//! `gateway extract`: reads many notes from the command line, in this process or through a running gateway.
//!
//! The inputs are read as a stream, ids are unique, each result is written as soon as it is there, and a stopped run
//! can be resumed. A note that fails is written with its error and never stops the other notes. Standard error never
//! contains any text of a note.

mod arguments;
mod counts;
mod ending;
mod error;
mod formats;
mod ids;
mod input;
mod local;
mod outcome;
mod output;
mod output_arguments;
mod pause;
mod progress;
mod queue;
mod remote;
mod resume;
mod review;
mod reviewed;
mod status;
mod stop;
mod tool_ids;
mod writer;

use std::io::{self, IsTerminal, Write};

use clap::Args;

pub use self::{
    arguments::BulkArguments,
    error::BulkError,
    formats::OutputFormat,
    reviewed::{ReviewedArguments, run as write_reviewed},
};
use self::{
    counts::RunCounts,
    ids::{CompletedNotes, NoteStatus, RunIds},
    input::{InputFormat, Source},
    local::{LocalEngine, RunEnd, RunOptions},
    outcome::{EntryOutcome, Event, Skipped},
    output::Sink,
    progress::Progress,
    remote::RemoteGateway,
    review::Review,
    status::print_status,
    stop::StopSignal,
    tool_ids::ToolIds,
    writer::OutcomeWriter,
};
use crate::config::Settings;

/// What a process reads that this program starts for files which may be made to harm it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum IsolatedReader {
    /// The text of a PDF.
    Pdf,
    /// The rows of a Parquet file.
    Parquet,
}

/// What a process is to read from standard input for another process of this program.
#[derive(Args, Clone, Debug)]
pub struct IsolatedArguments {
    /// What the file is
    reader: IsolatedReader,
    /// Maximum bytes of a note or of a value
    longest: usize,
    /// Numbers of the columns of a table
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// Set by the process itself once it has its limits of memory and time
    #[arg(long)]
    limited: bool,
}

/// Reads a file for another process of this program, and returns the exit code.
#[must_use]
pub fn read_isolated(arguments: &IsolatedArguments) -> std::process::ExitCode {
    let IsolatedArguments { reader, longest, columns, limited } = arguments;
    let columns: Vec<usize> = columns.iter().filter_map(|number| number.parse().ok()).collect();
    match reader {
        IsolatedReader::Pdf => input::read_pdf(*longest, *limited),
        IsolatedReader::Parquet => input::read_parquet(*longest, &columns, *limited),
    }
}

/// The exit code after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Columns of the table when the width of the terminal is not known.
const USUAL_WIDTH: usize = 160;
/// Maximum bytes of a note that is sent to a server. The server also has its own limit.
const LONGEST_SENT: usize = 8 << 20;

/// Reads all notes and returns the exit code. `engine_named` says whether the command line names an engine.
pub async fn run(arguments: BulkArguments, settings: Settings, engine_named: bool) -> Result<u8, BulkError> {
    arguments.check(engine_named)?;
    let longest = match arguments.server {
        Some(_) => LONGEST_SENT,
        None => settings.limits.max_note_chars.saturating_mul(4),
    };
    let form = arguments.input_format(longest)?;
    let (sources, size) = Source::all(&arguments.inputs, &form)?;
    let stop =
        StopSignal::on_signals().map_err(|error| BulkError::Failed(format!("cannot listen for signals: {error}")))?;
    let reader = Reader::ready(&arguments, &settings, &stop).await?;
    let (sink, done) = open(&arguments, false)?;
    let review = arguments.review.as_deref().map(|path| Review::create(path, &arguments.keep)).transpose()?;
    let on_terminal = arguments.out.is_none() && io::stdout().is_terminal();
    let progress = Progress::new(size.bytes, on_terminal);
    let writer = OutcomeWriter { sink, review, counts: RunCounts::new(size), progress };

    let (sender, entries) = queue::entries();
    let (events, written) = queue::events();
    let keep_text = arguments.keeps_text();
    // The sender is weak, because this thread may block in a read that never ends and the writer must not wait for it.
    let (ids, weak_events) = (RunIds::new(done, arguments.number_repeated_ids), events.downgrade());
    let tool_ids = ToolIds::new(arguments.format(), &arguments.redcap());
    let skip_empty = arguments.skip_empty;
    let input_thread = std::thread::spawn(move || {
        send_all(&sources, &form, (ids, tool_ids), keep_text, skip_empty, &sender, &weak_events);
    });
    let stop_token = stop.token.clone();
    let writer_task = tokio::task::spawn_blocking(move || {
        let ended = writer.run(written);
        if ended.1.is_err() {
            stop_token.cancel();
        }
        ended
    });
    let ending = reader.read_all(entries, events, stop.token.clone()).await;
    let (writer, outcome) = writer_task.await.map_err(|_| fault("writing"))?;
    // After a stop the input thread may block for ever in a read of standard input. Without a stop it has ended.
    if !stop.token.is_cancelled() && input_thread.join().is_err() {
        return Err(fault("reading the inputs"));
    }
    ending::finish(&arguments, writer, outcome, &ending, &stop)
}

/// The error for a panic in one of the threads. It is reported, because the run would otherwise look complete.
fn fault(at: &str) -> BulkError {
    BulkError::Failed(format!("{at} stopped because of a bug in this program; --resume keeps the results so far"))
}

/// What reads the notes.
enum Reader {
    LocalEngine(LocalEngine),
    RemoteGateway(RemoteGateway),
}

impl Reader {
    async fn ready(arguments: &BulkArguments, settings: &Settings, stop: &StopSignal) -> Result<Self, BulkError> {
        let options = RunOptions {
            concurrency: arguments.concurrency.map(usize::from),
            retries: arguments.retries,
            keep_text: arguments.keeps_text(),
        };
        let ready = async {
            match &arguments.server {
                Some(url) => {
                    RemoteGateway::ready(url, arguments.api_key_file.as_deref(), options).await.map(Self::RemoteGateway)
                }
                None => LocalEngine::ready(settings, options).await.map(Self::LocalEngine),
            }
        };
        tokio::select! { ready = ready => ready, () = stop.token.cancelled() => Err(BulkError::Interrupted) }
    }

    async fn read_all(
        self,
        entries: queue::NoteQueue,
        events: queue::OutcomeSender,
        stop: tokio_util::sync::CancellationToken,
    ) -> RunEnd {
        match self {
            Self::LocalEngine(local) => local.read_all(entries, events, stop).await,
            Self::RemoteGateway(remote) => remote.read_all(entries, events, stop).await,
        }
    }
}

/// Opens the output. `reviewed`: whether the results have the decisions of a person.
fn open(arguments: &BulkArguments, reviewed: bool) -> Result<(Sink, CompletedNotes), BulkError> {
    let width = console::Term::stdout().size_checked().map_or(USUAL_WIDTH, |(_, columns)| usize::from(columns));
    let options = output::WriterOptions {
        format: arguments.format(),
        width,
        by_patient: arguments.by_patient(),
        keep: arguments.keep.clone(),
        dialect: arguments.dialect(),
        redcap: arguments.redcap(),
        reviewed,
        out: arguments.out.clone(),
    };
    if let Some(path) = &arguments.data_dictionary {
        let written = output::private(false).truncate(true).open(path);
        let written = written.and_then(|mut file| file.write_all(options.redcap.dictionary().as_bytes()));
        written.map_err(|cause| BulkError::unwritable(path, &cause))?;
    }
    match &arguments.out {
        None => Ok((Sink::stdout(output::ResultWriter::new(options)), CompletedNotes::new())),
        Some(path) if arguments.resume => {
            let resumed = resume::open(path, &options)?;
            let torn = if resumed.torn { "; an incomplete last line was removed" } else { "" };
            print_status(&format!(
                "continuing with {}: {} notes are done, {} failed notes are tried again{torn}",
                path.display(),
                counts::grouped(resumed.done.len() as u64),
                counts::grouped(resumed.failed)
            ));
            Ok((Sink::append(path, resumed.file, output::ResultWriter::new(options))?, resumed.done))
        }
        Some(path) => {
            let [samples, _] = output::portal_files(path);
            let is_folder = options.format == OutputFormat::Cbioportal;
            if is_folder {
                std::fs::create_dir_all(path).map_err(|cause| BulkError::unwritable(path, &cause))?;
            }
            let (path, failures) = (if is_folder { &samples } else { path }, arguments.failed_notes());
            let sink = Sink::create(path, output::ResultWriter::new(options), failures.as_deref())?;
            Ok((sink, CompletedNotes::new()))
        }
    }
}

/// Returns the status of a note whose id the tool of the output format may not take.
fn checked(status: NoteStatus, tool_ids: &mut ToolIds) -> NoteStatus {
    match status {
        NoteStatus::New(note) => match tool_ids.refusal(&note) {
            Some(fault) => NoteStatus::Faulty(note, fault),
            None => NoteStatus::New(note),
        },
        other => other,
    }
}

/// Gives every note of the inputs its id and sends it to the reader, until the inputs end or the reader has stopped.
fn send_all(
    sources: &[Source],
    form: &InputFormat,
    (mut ids, mut tool_ids): (RunIds, ToolIds),
    keep_text: bool,
    skip_empty: bool,
    sender: &tokio::sync::mpsc::Sender<outcome::QueuedNote>,
    events: &tokio::sync::mpsc::WeakSender<Vec<Event>>,
) {
    // The upgrade fails once the reader has stopped: then the writer has stopped too.
    let report = |event| events.upgrade().is_some_and(|events| events.blocking_send(vec![event]).is_ok());
    let mut empty = 0u64;
    for source in sources {
        let more = source.read(form, sources.len() > 1, &mut |note| {
            if skip_empty && note.text.as_ref().is_ok_and(|text| text.trim().is_empty()) {
                empty += 1;
                return true;
            }
            match checked(ids.name(note), &mut tool_ids) {
                NoteStatus::New(entry) => sender.blocking_send(entry).is_ok(),
                NoteStatus::Faulty(entry, fault) => {
                    let outcome = EntryOutcome::faulty(entry, keep_text, fault);
                    !sender.is_closed() && report(Event::Ended(outcome))
                }
                NoteStatus::Done(entry, offset) => {
                    let outcome::QueuedNote { id, text, weight, .. } = entry;
                    let skipped = Skipped { offset, id, text: keep_text.then_some(text), weight };
                    !sender.is_closed() && report(Event::Skipped(skipped))
                }
            }
        });
        if !more {
            return;
        }
    }
    if empty > 0 {
        print_status(&format!("{} empty note(s) were left out (--skip-empty)", counts::grouped(empty)));
    }
}
