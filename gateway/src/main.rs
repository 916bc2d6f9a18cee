//! The `gateway` command.
#![expect(clippy::print_stderr, reason = "the command line's own output")]

mod idle_memory;

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use gateway::{
    access, bulk,
    config::{EngineChoice, Flags, Settings},
    eval::{self, EvalError, Format, Sources},
    extraction::{AnswerOptions, Deadline, EngineRequest, Note, Record, TokenBudget},
    http,
    server::{Gateway, ServerError},
    telemetry,
    vllm::VllmError,
};
use serde_json::Value;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The system's allocator costs each request a fifth more time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The note of `gateway selftest`: made up, and easy.
const SYNTHETIC_NOTE: &str = "62-year-old woman with stage IIIB invasive ductal carcinoma of the left breast, ER \
                              positive. She received doxorubicin and cyclophosphamide with a partial response.";

/// Seven structured oncology fields from a free-text note, each with its evidence.
///
/// For research and registry support with human review; not for diagnosis.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Options,
}

#[derive(Args, Clone)]
struct Options {
    /// Settings file (default: config/gateway.toml, if it is there)
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, global = true)]
    listen: Option<SocketAddr>,
    /// Engine that reads notes
    #[arg(long, global = true)]
    engine: Option<EngineChoice>,
    /// URL of the vLLM server
    #[arg(long, global = true)]
    vllm_url: Option<String>,
}

#[derive(Subcommand, Clone)]
enum Command {
    /// Answer HTTP requests (the default)
    Serve,
    /// Print the OpenAPI document
    Openapi,
    /// Print the JSON Schema of the record
    Schema,
    /// Check the settings and say what they mean
    CheckConfig,
    /// Ask the server on this machine whether it is ready; exit 1 unless it is
    Healthcheck {
        /// How to write what it says: nothing while all is well, or all of `/health?verbose=1` as JSON
        #[arg(long, value_enum, default_value_t)]
        format: HealthFormat,
    },
    /// Read one synthetic note with the configured engine and check the answer
    Selftest,
    /// Print the key file's line for an API key: of standard input, or a new one that is shown once
    HashKey {
        /// Who the key is for: letters, digits, dots, hyphens, underscores
        name: String,
    },
    /// Read many notes: files, folders, JSON lines, CSV
    Extract(bulk::Arguments),
    /// Score the configured engine, or predictions, against labelled notes
    Eval {
        /// Labelled notes, JSON lines: {"id", "text", "expected": {...}}
        #[arg(long)]
        gold: PathBuf,
        /// Predictions to score instead of running the engine, JSON lines matched by id
        #[arg(long)]
        predictions: Option<PathBuf>,
        /// How to write the report
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// How `healthcheck` writes what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum HealthFormat {
    #[default]
    Quiet,
    Json,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve);
    match command.clone() {
        Command::Openapi => return print_json(&http::document(&http::Documented::default())),
        Command::Schema => return print_json(&Record::json_schema()),
        Command::HashKey { name } => return ended(hash_key(&name)),
        _ => {}
    }
    let engine_named = cli.flags.engine.is_some() || cli.flags.vllm_url.is_some();
    let flags = Flags {
        config: cli.flags.config,
        listen: cli.flags.listen,
        engine: cli.flags.engine,
        vllm_url: cli.flags.vllm_url,
    };
    let settings = match Settings::load(&flags) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = match command {
        Command::CheckConfig => {
            if let Err(error) = Gateway::check(&settings) {
                complain(&error);
                return ExitCode::from(2);
            }
            return say(&format!("settings are good: listen {}, {}", settings.listen, settings.summary()));
        }
        Command::Healthcheck { format } => runtime.block_on(healthcheck(&settings, format)),
        Command::Selftest => runtime.block_on(selftest(settings)),
        Command::Extract(arguments) => return extract(&runtime, arguments, settings, engine_named),
        Command::Eval { gold, predictions, format } => {
            runtime.block_on(eval(&Sources { gold, predictions }, settings, format))
        }
        // On a worker: what the main thread waits for is woken from another thread each time.
        _ => return runtime.block_on(async { tokio::spawn(serve(settings)).await.unwrap_or(ExitCode::FAILURE) }),
    };
    ended(done)
}

/// Writes to standard output. A reader who left early, as `head` does, is no error.
fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&error);
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Writes to standard error, if there is one.
fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

/// The exit code of a command, and the word on why it failed.
fn ended(done: Outcome) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            // A file that cannot be used is a mistake of the command line, not a failure.
            let usage = matches!(error.downcast_ref(), Some(EvalError::File(_)))
                || matches!(
                    error.downcast_ref(),
                    Some(ServerError::Keys(_) | ServerError::Audit(_) | ServerError::Vllm(VllmError::Key(_)))
                );
            if usage { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn printed(text: &str) -> Outcome {
    if say(text) == ExitCode::SUCCESS { Ok(()) } else { Err("standard output cannot be written".into()) }
}

fn hash_key(name: &str) -> Outcome {
    let key = if std::io::stdin().is_terminal() {
        let key = access::new_key()?;
        eprintln!("The key of {name}; it is shown this once:\n{key}\nThe line for the key file:");
        key
    } else {
        std::io::read_to_string(std::io::stdin())?.trim().to_owned()
    };
    printed(&access::line_for(name, &key)?)
}

fn print_json<T: serde::Serialize>(value: &T) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(text) => say(&text),
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Serves until a signal: SIGTERM, and what runs may end; a second one, and nothing is waited for. Ctrl-C
/// means the same, and its exit code says so.
async fn serve(settings: Settings) -> ExitCode {
    let telemetry = telemetry::init();
    let (done, interrupted) = match serve_until_signal(settings).await {
        Ok(interrupted) => (Ok(()), interrupted),
        Err(error) => (Err(error), false),
    };
    drop(telemetry);
    if interrupted { ExitCode::from(bulk::INTERRUPTED) } else { ended(done) }
}

async fn serve_until_signal(settings: Settings) -> Result<bool, Box<dyn std::error::Error>> {
    raise_descriptor_limit();
    let signals = Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let signals = tokio::sync::Mutex::new(signals);
    let interrupted = AtomicBool::new(false);
    let next = async || {
        if signals.lock().await.is_interrupt().await {
            interrupted.store(true, Relaxed);
        }
    };
    let gateway = Gateway::new(settings)?;
    // Without keys too: the system's own answer to SIGHUP is to kill the process.
    let (keys, server_key) = (gateway.app.keys.clone(), gateway.server_key.clone());
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let reloaded = match &keys {
                Some(keys) => Some(keys.reload().await),
                None => None,
            };
            match &server_key {
                None if reloaded.is_none() => tracing::info!("SIGHUP: there is no key file to read again"),
                None => {}
                Some(key) => match key.reload().await {
                    Ok(()) => tracing::info!("the model server's key is read again"),
                    Err(error) => {
                        tracing::error!(%error, "the model server's key is not read again; the old one still holds");
                    }
                },
            }
            match reloaded {
                None => {}
                Some(Ok(count)) => tracing::info!(count, "API keys reloaded"),
                Some(Err(error)) => tracing::error!(%error, "API keys not reloaded; the old ones still hold"),
            }
        }
    });
    let giving_back = tokio::spawn(idle_memory::give_back());
    let served = gateway.bind().await?.serve(next(), next()).await;
    giving_back.abort();
    served?;
    Ok(interrupted.load(Relaxed))
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Waits for the next, and says whether it was Ctrl-C.
    async fn is_interrupt(&mut self) -> bool {
        tokio::select! { _ = self.terminate.recv() => false, _ = self.interrupt.recv() => true }
    }
}

/// As many connections as the system lets us have: its default of 1,024 is for programs that use `select`.
fn raise_descriptor_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

async fn healthcheck(settings: &Settings, format: HealthFormat) -> Outcome {
    let on_this_machine = |mut address: SocketAddr| {
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        address
    };
    gateway::tls::install();
    // Plain HTTP needs no certificates, and where the binary is all there is there are none.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let client = client.timeout(std::time::Duration::from_secs(5)).build()?;
    let ask = async |address, path| client.get(format!("http://{}{path}", on_this_machine(address))).send().await;
    let answer = ask(settings.listen, "/health/ready").await?;
    let (ready, said) = (answer.status().is_success(), answer.text().await?);
    if format == HealthFormat::Json {
        let verbose = settings.metrics.listen.unwrap_or(settings.listen);
        let mut answer = ask(verbose, "/health?verbose=1").await?;
        if answer.status() == reqwest::StatusCode::UNAUTHORIZED {
            complain(
                &"the verbose form of /health needs a key here, so this is the short one: set metrics.listen \
                  (GATEWAY_METRICS__LISTEN=127.0.0.1:9464) to have it without a key on this machine",
            );
            answer = ask(settings.listen, "/health").await?;
        }
        let mut all: serde_json::Map<String, Value> = answer.json().await?;
        all.extend(serde_json::from_str::<serde_json::Map<String, Value>>(&said)?);
        printed(&Value::Object(all).to_string())?;
    }
    if ready { Ok(()) } else { Err(format!("not ready: {said}").into()) }
}

fn extract(
    runtime: &tokio::runtime::Runtime,
    arguments: bulk::Arguments,
    settings: Settings,
    engine_named: bool,
) -> ExitCode {
    match runtime.block_on(bulk::run(arguments, settings, engine_named)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

async fn eval(sources: &Sources, settings: Settings, format: Format) -> Outcome {
    let terminal = std::io::stderr().is_terminal();
    let report = eval::evaluate(sources, settings, |done, all| {
        if terminal && (done % 50 == 0 || done == all) {
            eprint!("\r{done} of {all} notes");
        }
    })
    .await?;
    if terminal {
        eprintln!();
    }
    printed(report.written(format).trim_end())?;
    match report.failed() {
        0 => Ok(()),
        failed => Err(format!("{failed} note(s) got no prediction; the figures count them as empty").into()),
    }
}

async fn selftest(settings: Settings) -> Outcome {
    let (limit, deadline) = (settings.limits.max_note_chars, Deadline::after(settings.admission.deadline));
    let budget = TokenBudget::Adjustable(settings.generation.max_tokens);
    let gateway = Gateway::new(settings)?;
    let note = Note::new(SYNTHETIC_NOTE.to_owned(), limit).map_err(|_| "limits.max_note_chars is too small")?;
    let request = EngineRequest::plain(budget, Arc::from("selftest"));
    let reading = gateway.app.pipeline.extract(&note, &request, AnswerOptions::default(), deadline);
    let (answer, _) = deadline.bound(reading).await??;
    if answer.record.is_empty() {
        return Err("the engine found nothing in a note that names a cancer, its stage and its treatment".into());
    }
    printed(&serde_json::to_string_pretty(&answer)?)
}
