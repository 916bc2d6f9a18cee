//! The command line of `gateway extract`, and the check for arguments that exclude each other. The check does not open
//! files.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use clap::Args;
use encoding_rs::Encoding;

use super::{
    BulkError, OutputFormat, SelectionArguments, ShardArguments,
    formats::parse_delimiter,
    input::{DateOrder, InputFormat, ReadAs, encoding_of},
};

/// Reads many notes: files, folders, JSON lines, CSV.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct BulkArguments {
    /// Notes: .txt files, folders of them, .jsonl, .csv, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// File to write results to, with --format cbioportal a folder (default: standard output)
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Format of the results (default: by the file extension of --out; on a terminal a table, else JSON lines)
    #[arg(long, value_enum)]
    pub format: Option<OutputFormat>,
    /// URL of a running gateway that reads the notes, such as `http://127.0.0.1:8080` (default: this process reads
    /// them)
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// File whose first line is the API key for --server
    #[arg(long, value_name = "FILE", requires = "server")]
    pub api_key_file: Option<PathBuf>,
    /// Model of --server that reads the notes, as `GET /api/v1/models` lists it (default: what answers for the public name)
    #[arg(long, value_name = "NAME", requires = "server")]
    pub model: Option<String>,
    /// Maximum number of notes in progress at once (default: one for each core; with a model server, 1.5 times
    /// the setting `admission.in_flight`; with --server, as many as it accepts, up to 512)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: Option<u16>,
    /// How often a note is retried when the server is busy or unreachable
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: u32,
    /// Continue with --out: notes that are in it are skipped, notes that failed are tried again
    #[arg(long, requires = "out", conflicts_with = "force")]
    pub resume: bool,
    /// Overwrite --out and --review if they exist
    #[arg(long)]
    pub force: bool,
    /// Write an HTML page that shows the results beside their notes
    #[arg(long, value_name = "F.html")]
    pub review: Option<PathBuf>,
    /// Column of a table, or key of JSON, that holds the note (default: `text`)
    #[arg(long, value_name = "NAME")]
    pub text_column: Option<String>,
    /// Column or key that holds the note's id; several make it together, joined by `/` (default: `id` if it exists,
    /// else the number of the line)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub id_column: Vec<String>,
    /// Column or key that holds the patient. The output is then one timeline per patient, as JSON; with --format redcap
    /// it is the record id, with cbioportal the patient of the sample
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub patient_column: Option<String>,
    /// Column or key that holds the day on which the note was written, such as 2024-03-31, 20240331 or 31.03.2024; it
    /// resolves dates such as "two months ago"
    #[arg(long, value_name = "NAME")]
    pub date_column: Option<String>,
    /// Order of day and month in ambiguous dates of --date-column, such as 03/04/2020 (default: such a date is refused)
    #[arg(long, value_enum)]
    pub date_format: Option<DateOrder>,
    /// Columns or keys of the input whose values the output repeats, such as `mrn,site`
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub keep: Vec<String>,
    /// How the inputs are read (default: decided by their content)
    #[arg(long, value_enum)]
    pub from: Option<ReadAs>,
    /// Delimiter of tables: a character, or `tab` (default: the comma, semicolon, tab or pipe that fits the header)
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub delimiter: Option<u8>,
    /// Encoding of inputs without a byte order mark, such as `windows-1252` (default: UTF-8)
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub encoding: Option<&'static Encoding>,
    /// The line that ends each row of a table whose notes have line ends without quotes, such as `[report_end]`
    #[arg(long, value_name = "LINE")]
    pub row_end: Option<String>,
    /// Take `"` in tables as an ordinary character
    #[arg(long)]
    pub no_quotes: bool,
    /// Call the second note of an id `ID~2` and so on, instead of refusing it
    #[arg(long)]
    pub number_repeated_ids: bool,
    /// Leave out notes that are empty, instead of failing them
    #[arg(long)]
    pub skip_empty: bool,
    /// Delimiter of the cells of --format csv and tidy: comma, semicolon, tab, pipe or the character itself (default:
    /// comma; tab if --out ends in .tsv)
    #[arg(long, value_name = "SIGN", value_parser = parse_delimiter)]
    pub out_delimiter: Option<u8>,
    /// With --format redcap: also write the data dictionary of the columns to this file
    #[arg(long, value_name = "F.csv")]
    pub data_dictionary: Option<PathBuf>,
    /// The notes that the model reads.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// The part of the input that this run reads.
    #[command(flatten)]
    pub shards: ShardArguments,
}

fn delimiter(value: &str) -> Result<u8, String> {
    match value.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\r' | b'\n') => {
            Ok(*byte)
        }
        _ => Err("give one character such as ; or | or the word tab".to_owned()),
    }
}

fn encoding(label: &str) -> Result<&'static Encoding, String> {
    encoding_of(label)
}

impl BulkArguments {
    /// Returns the format of the results: `--format`, else by the extension of `--out`, else a table on a terminal and
    /// JSON lines elsewhere.
    #[must_use]
    pub fn format(&self) -> OutputFormat {
        let by_name = self.out.as_deref().and_then(OutputFormat::of);
        let terminal = self.out.is_none() && self.patient_column.is_none() && std::io::stdout().is_terminal();
        self.format.or(by_name).unwrap_or(if terminal { OutputFormat::Table } else { OutputFormat::Jsonl })
    }

    /// Returns how the inputs are read. `longest` is the maximum bytes of a note.
    pub(super) fn input_format(&self, longest: usize) -> Result<InputFormat, BulkError> {
        if self.from == Some(ReadAs::Redcap) && self.text_column.is_none() {
            return usage("--from redcap needs --text-column: the field that holds the note");
        }
        Ok(InputFormat {
            text: self.text_column.clone(),
            ids: self.id_column.clone(),
            patient: self.patient_column.clone(),
            date: self.date_column.clone(),
            date_order: self.date_format,
            keep: self.keep.clone(),
            longest,
            from: self.from,
            delimiter: self.delimiter,
            encoding: self.encoding,
            row_end: self.row_end.as_deref().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()),
            // Such tables have no quotes of their own.
            no_quotes: self.no_quotes || self.row_end.is_some(),
        })
    }

    /// Rejects arguments that exclude each other, before any file is opened.
    pub(super) fn check(&self, engine_named: bool) -> Result<(), BulkError> {
        let format = self.format();
        if let Some(why) = self.out.as_deref().and_then(|out| OutputFormat::refusal(self.format, out)) {
            return usage(&why);
        }
        if self.server.is_some() && engine_named {
            return usage(
                "--engine and --vllm-url cannot be combined with --server: with --server, that server's engine reads",
            );
        }
        if self.patient_column.is_some() && !format.has_patients() {
            return usage(
                "--patient-column gives one timeline per patient with --format jsonl or json; redcap and cbioportal take it too",
            );
        }
        self.check_keep(format)?;
        self.check_delimiter(format)?;
        self.check_tools(format)?;
        if self.selection.select.is_some() && !format.has_warnings() {
            return usage(
                "--select needs a format that says which notes the model did not read: --format jsonl, json, csv, table, \
                 xlsx, parquet, redcap or cbioportal",
            );
        }
        if self.resume && !format.is_resumable() {
            return usage("--resume needs an output format that it can read: --format jsonl or csv");
        }
        if self.resume && self.review.is_some() && format != OutputFormat::Jsonl {
            return usage(
                "--review with --resume needs --format jsonl: a CSV has no evidence for the notes of earlier runs",
            );
        }
        if self.inputs.iter().filter(|input| *input == Path::new("-")).count() > 1 {
            return usage("standard input can be read only once: give - once");
        }
        let named = self.out.iter().filter(|_| format != OutputFormat::Cbioportal).cloned();
        for out in named.chain(self.portal_files()).chain(self.failed_notes()) {
            self.check_target(&out, "--out", format.is_resumable())?;
        }
        if let Some(dictionary) = &self.data_dictionary {
            self.check_target(dictionary, "--data-dictionary", false)?;
            if self.out.as_ref() == Some(dictionary) {
                return usage("--out and --data-dictionary name the same file");
            }
        }
        if let Some(review) = &self.review {
            self.check_target(review, "--review", false)?;
            if self.out.as_deref() == Some(review) {
                return usage("--out and --review name the same file");
            }
        }
        Ok(())
    }

    /// Rejects an output that is also an input, a folder, or an existing file that neither `--force` nor `--resume`
    /// allows.
    pub(super) fn check_target(&self, target: &Path, flag: &str, resumable: bool) -> Result<(), BulkError> {
        let Ok(canonical) = target.canonicalize() else { return Ok(()) };
        let path = target.display();
        if self.inputs.iter().any(|input| input.canonicalize().is_ok_and(|input| input == canonical)) {
            return usage(&format!("{flag} {path} is also an input: it would be overwritten"));
        }
        if canonical.is_dir() {
            return usage(&format!("{flag} {path} is a folder: name a file"));
        }
        if canonical.is_file() && !self.force && !self.resume {
            let resume_hint = if resumable { "--resume to continue with it, " } else { "" };
            return usage(&format!("{flag} {path} exists. Give {resume_hint}--force to overwrite it, or another name"));
        }
        Ok(())
    }
}

pub(super) fn usage<T>(why: &str) -> Result<T, BulkError> {
    Err(BulkError::Usage(why.to_owned()))
}
