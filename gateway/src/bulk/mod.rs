//! `gateway extract`: reads many notes from the command line, in this process or through a running gateway.
//!
//! The inputs are read as a stream, ids are unique, each result is written as soon as it is ready, and a stopped run
//! can be resumed. A note that fails is written with its error and never stops the other notes. Standard error never
//! contains any text of a note.

mod arguments;
mod counts;
mod digits;
mod ending;
mod error;
mod formats;
mod ids;
mod input;
mod input_reader;
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
mod selection;
mod shard;
mod shard_run;
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
    selection::SelectionArguments,
    shard::{Shard, ShardArguments},
};
use self::{
    counts::RunCounts,
    ids::{CompletedNotes, RunIds},
    input::Source,
    input_reader::{InputCounts, InputReader},
    local::{LocalEngine, RunEnd, RunOptions},
    output::Sink,
    progress::Progress,
    remote::RemoteGateway,
    review::Review,
    selection::Selection,
    shard_run::ShardRun,
    status::print_status,
    stop::StopSignal,
    tool_ids::ToolIds,
    writer::OutcomeWriter,
};
use crate::config::Settings;

/// The kinds of files that are read in a separate process, because they may be made to harm the program that reads
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum IsolatedReader {
    /// The text of a PDF.
    Pdf,
    /// The rows of a Parquet file.
    Parquet,
}

/// How this process reads a file from standard input for another process of this program.
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

/// The exit code if some notes failed.
const SOME_FAILED: u8 = 3;
/// The exit code after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Maximum bytes of a note that is sent to a server. The server also has its own limit.
const LONGEST_SENT: usize = 8 << 20;

/// Reads all notes and returns the exit code. `engine_named` says whether the command line names an engine.
pub async fn run(mut arguments: BulkArguments, settings: Settings, engine_named: bool) -> Result<u8, BulkError> {
    let Some(shard) = ShardRun::of(&mut arguments)? else {
        return read_notes(&arguments, &settings, engine_named, None).await;
    };
    read_notes(&arguments, &settings, engine_named, Some(&shard)).await.map_err(shard_run::for_scheduler)
}

/// Reads all notes, or those of a shard, and returns the exit code.
async fn read_notes(
    arguments: &BulkArguments,
    settings: &Settings,
    engine_named: bool,
    shard: Option<&ShardRun>,
) -> Result<u8, BulkError> {
    arguments.check(engine_named)?;
    let longest = match arguments.server {
        Some(_) => LONGEST_SENT,
        None => settings.limits.max_note_chars.saturating_mul(4),
    };
    let form = arguments.input_format(longest)?;
    let (sources, mut size) = Source::all(&arguments.inputs, &form)?;
    if let Some(shard) = shard {
        if let Some(code) = shard.finished_before(arguments)? {
            return Ok(code);
        }
        size.bytes = size.bytes.map(|bytes| shard.shard.share(bytes));
    }
    let stop =
        StopSignal::on_signals().map_err(|error| BulkError::Failed(format!("cannot listen for signals: {error}")))?;
    let reader = Reader::ready(arguments, settings, &stop).await?;
    let (sink, done) = open(arguments, false)?;
    let lock = sink.handle()?;
    if let Some(shard) = shard
        && let Some(code) = shard.finished_before(arguments)?
    {
        shard.remove_empty_part();
        return Ok(code);
    }
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
    let input = InputReader {
        ids,
        tool_ids,
        keep_text,
        skip_empty: arguments.skip_empty,
        shard: shard.map(|shard| shard.shard),
        selection: Selection::of(&arguments.selection),
        counts: InputCounts::default(),
    };
    let input_thread = std::thread::spawn(move || input.send_all(&sources, &form, &sender, &weak_events));
    let stop_token = stop.token.clone();
    let writer_task = tokio::task::spawn_blocking(move || {
        let ended = writer.run(written);
        if ended.1.is_err() {
            stop_token.cancel();
        }
        ended
    });
    let reading = reader.read_all(entries, events, stop.token.clone());
    let ending = stop.bounded(reading).await.unwrap_or_default();
    let (writer, outcome) = writer_task.await.map_err(|_| fault("writing"))?;
    // After a stop the input thread may block for ever in a read of standard input. Without a stop it has ended.
    let inputs =
        if stop.token.is_cancelled() { None } else { input_thread.join().map_err(|_| fault("reading the inputs"))? };
    ending::finish(arguments, writer, outcome, &ending, &stop, shard.zip(lock), inputs)
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
            model_may_load: arguments.shards.is_chosen(),
        };
        let ready = async {
            match &arguments.server {
                Some(url) => {
                    let (key_file, model) = (arguments.api_key_file.as_deref(), arguments.model.as_deref());
                    RemoteGateway::ready(url, key_file, model, options).await.map(Self::RemoteGateway)
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
    let options = arguments.writer_options(reviewed);
    if let Some(path) = &arguments.data_dictionary {
        let written = output::private(false).truncate(true).open(path);
        let written = written.and_then(|mut file| file.write_all(options.redcap.dictionary().as_bytes()));
        written.map_err(|cause| BulkError::unwritable(path, &cause))?;
    }
    match &arguments.out {
        None => Ok((Sink::stdout(output::ResultWriter::new(options)), CompletedNotes::new())),
        Some(path) if arguments.resume => {
            let resumed = resume::open(path, &options)?;
            // The first job of a shard has nothing to continue with.
            if resumed.has_results() || !arguments.shards.is_chosen() {
                print_status(&resumed.line(path));
            }
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
