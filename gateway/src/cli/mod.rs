//! The command line. Each command has its own file.
#![expect(clippy::print_stderr, reason = "the command line prints to standard error")]

mod alerts;
mod eval;
mod greeting;
mod hash_key;
mod healthcheck;
mod ocr;
mod output;
mod selftest;
mod serve;
mod usage;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use gateway::{
    bulk,
    config::{EngineChoice, Flags, Settings, listen_address},
    extraction::Record,
    http,
    server::Gateway,
};

use self::{healthcheck::HealthFormat, output::exit_code};

/// Seven structured oncology fields from a free-text note, each with its evidence.
///
/// For research and registry support with human review; not for diagnosis.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Options,
}

#[derive(Args, Clone)]
struct Options {
    /// Settings file (default: config/gateway.toml, if it exists)
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Address to listen on, such as localhost:8080, or a port of this machine alone, such as 8080
    #[arg(long, global = true, value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// Engine that reads notes
    #[arg(long, global = true)]
    engine: Option<EngineChoice>,
    /// URL of the vLLM server
    #[arg(long, global = true)]
    vllm_url: Option<String>,
}

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum OpenapiVersion {
    #[default]
    #[value(name = "3.1")]
    New,
    #[value(name = "3.0")]
    Old,
}

#[derive(Subcommand, Clone)]
enum Command {
    /// Answer HTTP requests (the default)
    Serve,
    /// Print the OpenAPI document
    Openapi {
        /// As a service with keys has it: with security schemes, and the routes that need a key
        #[arg(long)]
        secured: bool,
        /// Version of OpenAPI: 3.1, or 3.0 for tools that do not read 3.1
        #[arg(long, value_enum, default_value_t)]
        spec: OpenapiVersion,
    },
    /// Print the JSON Schema of the record
    Schema,
    /// Print the alert rules for Prometheus or `CloudWatch`
    Alerts(alerts::AlertArguments),
    /// Check the settings and print a summary
    CheckConfig,
    /// Ask the server on this machine whether it is ready; exit 1 if it is not
    Healthcheck {
        /// What to print: nothing if the server is ready, or the complete `/health?verbose=1` as JSON
        #[arg(long, value_enum, default_value_t)]
        format: HealthFormat,
    },
    /// Read one synthetic note with the configured engine and check the answer
    Selftest,
    /// Print the line of the key file for an API key: one from standard input, or a new key that is shown once
    HashKey {
        /// Name of the client that gets the key: letters, digits, dots, hyphens, underscores
        name: String,
    },
    /// Read many notes: folders, texts, JSON, tables (CSV, Excel), FHIR, HL7, CDA
    Extract(Box<bulk::BulkArguments>),
    /// Add up the audit file by month and key: notes, tokens, time at the engine, cost
    Usage(usage::UsageArguments),
    /// Write results with the decisions of a person: accepted, changed, added, rejected values
    Reviewed(Box<bulk::ReviewedArguments>),
    /// Read scans for the gateway with tesseract: the server of `scan.url`
    Ocr(gateway::ocr::OcrArguments),
    /// Run a program of `ocr`, in a process with limits of memory and time
    #[command(hide = true)]
    RunLimited(ocr::LimitedArguments),
    /// Read a file for `extract`, in a process with limits of memory and time
    #[command(hide = true)]
    ReadIsolated(bulk::IsolatedArguments),
    /// Score the configured engine, or predictions, against labelled notes
    Eval(eval::EvalArguments),
}

/// Runs the command of the command line and returns its exit code.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let command = cli.command.unwrap_or(Command::Serve);
    // These commands need no settings.
    match &command {
        Command::Openapi { secured, spec } => {
            let settings = http::DocumentSettings { guarded: *secured, ..http::DocumentSettings::default() };
            let document = match spec {
                OpenapiVersion::New => http::document(&settings),
                OpenapiVersion::Old => http::document_3_0(&settings),
            };
            return exit_code(output::print_json(&document));
        }
        Command::Schema => return exit_code(output::print_json(&Record::json_schema())),
        Command::Alerts(arguments) => return alerts::run(arguments),
        Command::Reviewed(arguments) => {
            return match bulk::write_reviewed(arguments) {
                Ok(code) => ExitCode::from(code),
                Err(error) => {
                    output::print_error(&error);
                    ExitCode::from(error.exit_code())
                }
            };
        }
        Command::ReadIsolated(arguments) => return bulk::read_isolated(arguments),
        Command::RunLimited(ocr::LimitedArguments { memory, seconds, program }) => {
            return gateway::ocr::run_limited(*memory, *seconds, program);
        }
        Command::HashKey { name } => return exit_code(hash_key::run(name)),
        _ => {}
    }
    if let Command::Ocr(arguments) = command {
        return exit_code(runtime().and_then(|runtime| runtime.block_on(ocr::run(arguments, cli.flags.listen))));
    }
    let Options { config, listen, engine, vllm_url } = cli.flags;
    let engine_named = engine.is_some() || vllm_url.is_some();
    let flags = Flags { config, listen, engine, vllm_url };
    let settings = match Settings::load(&flags) {
        Ok(settings) => settings,
        Err(error) => {
            output::print_error(&error);
            return ExitCode::from(output::USAGE);
        }
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return exit_code(Err(error)),
    };
    match command {
        Command::CheckConfig => check_config(&settings),
        Command::Healthcheck { format } => exit_code(runtime.block_on(healthcheck::run(&settings, format))),
        Command::Selftest => exit_code(runtime.block_on(selftest::run(settings))),
        Command::Extract(arguments) => extract(&runtime, *arguments, settings, engine_named),
        Command::Usage(arguments) => exit_code(usage::run(arguments, &settings)),
        Command::Eval(arguments) => exit_code(runtime.block_on(eval::run(arguments, settings))),
        // The server runs on a worker thread: a task on the main thread would need another thread to wake it each time.
        _ => runtime.block_on(async { tokio::spawn(serve::run(settings, flags)).await.unwrap_or(ExitCode::FAILURE) }),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("the async runtime cannot start: {error}").into())
}

fn check_config(settings: &Settings) -> ExitCode {
    match Gateway::check(settings) {
        Ok(()) => {
            exit_code(output::print(&format!("settings are good: listen {}, {}", settings.listen, settings.summary())))
        }
        Err(error) => {
            output::print_error(&error);
            ExitCode::from(output::USAGE)
        }
    }
}

fn extract(
    runtime: &tokio::runtime::Runtime,
    arguments: bulk::BulkArguments,
    settings: Settings,
    engine_named: bool,
) -> ExitCode {
    match runtime.block_on(bulk::run(arguments, settings, engine_named)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::print_error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
