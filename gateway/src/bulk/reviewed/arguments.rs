//! The command line of `gateway reviewed`.

use std::path::PathBuf;

use clap::Args;

use crate::bulk::{BulkArguments, BulkError, OutputFormat, arguments::usage, formats::parse_delimiter};

/// The column, and in the tools of others the variable, that says whether a person has reviewed the note.
pub(super) const NOTE_REVIEW: &str = "note_review";
/// The variable with what the person did with the values of each field, in formats without a column of their own for it.
pub(super) const VALUE_REVIEW: &str = "value_review";

/// Writes results with the decisions of a person.
#[derive(Args, Clone, Debug)]
pub struct ReviewedArguments {
    /// Results that were reviewed, as `gateway extract --out F.jsonl` writes them
    #[arg(value_name = "RESULTS.jsonl")]
    pub results: PathBuf,
    /// Decisions that the review page saved; several files if several people reviewed, or one person in several
    /// sessions
    #[arg(long, short, required = true, num_args = 1.., value_name = "DECISIONS.jsonl")]
    pub decisions: Vec<PathBuf>,
    /// File to write to, with --format cbioportal a folder (default: standard output)
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Format to write (default: by the file extension of --out, else CSV)
    #[arg(long, value_enum)]
    pub format: Option<OutputFormat>,
    /// Also write notes that are not marked as done; their undecided values are marked `not_reviewed`
    #[arg(long)]
    pub allow_unreviewed: bool,
    /// Overwrite --out if it exists
    #[arg(long)]
    pub force: bool,
    /// With --format redcap and cbioportal: the column with the patient, which the results carry by --keep
    #[arg(long, value_name = "NAME")]
    pub patient_column: Option<String>,
    /// With --format redcap: the name of the record id (default: the patient column, else `record_id`)
    #[arg(long, value_name = "NAME")]
    pub id_column: Option<String>,
    /// Delimiter of the cells of --format csv and tidy (default: comma; tab if --out ends in .tsv)
    #[arg(long, value_name = "SIGN", value_parser = parse_delimiter)]
    pub out_delimiter: Option<u8>,
    /// With --format redcap: also write the data dictionary of the columns to this file
    #[arg(long, value_name = "F.csv")]
    pub data_dictionary: Option<PathBuf>,
}

impl ReviewedArguments {
    /// Returns the arguments of the writer, which is the one of `gateway extract`. `carried`: the columns that the results
    /// carry.
    pub(super) fn for_writer(&self, carried: &[String]) -> Result<BulkArguments, BulkError> {
        let by_name = self.out.as_deref().and_then(OutputFormat::of);
        let format = self.format.or(by_name).unwrap_or(OutputFormat::Csv);
        if format == OutputFormat::Table {
            return usage("--format table has no column for the review: write csv, which is the default");
        }
        if self.patient_column.is_some() && !matches!(format, OutputFormat::Redcap | OutputFormat::Cbioportal) {
            return usage(
                "--patient-column is for --format redcap and cbioportal; in the other formats the column is written unchanged",
            );
        }
        let arguments = BulkArguments {
            inputs: std::iter::once(&self.results).chain(&self.decisions).cloned().collect(),
            out: self.out.clone(),
            format: Some(format),
            force: self.force,
            patient_column: self.patient_column.clone(),
            id_column: self.id_column.iter().cloned().collect(),
            keep: columns(format, carried),
            out_delimiter: self.out_delimiter,
            data_dictionary: self.data_dictionary.clone(),
            ..BulkArguments::default()
        };
        arguments.check(false)?;
        Ok(arguments)
    }
}

/// Returns how many of the carried columns of a format are about the review. They come first. JSON has the review beside the
/// carried values, and `NOTE_NLP` among its modifiers.
pub(super) fn own_columns(format: OutputFormat) -> usize {
    match format {
        OutputFormat::Redcap | OutputFormat::Cbioportal => 2,
        OutputFormat::Csv
        | OutputFormat::Tidy
        | OutputFormat::Xlsx
        | OutputFormat::Parquet
        | OutputFormat::ParquetTidy => 1,
        OutputFormat::Jsonl | OutputFormat::Json | OutputFormat::NoteNlp | OutputFormat::Table => 0,
    }
}

fn columns(format: OutputFormat, carried: &[String]) -> Vec<String> {
    if !format.carries() {
        return Vec::new();
    }
    let own = [NOTE_REVIEW, VALUE_REVIEW].into_iter().take(own_columns(format)).map(str::to_owned);
    let mut names: Vec<String> = own.collect();
    for name in carried {
        let mut name = name.clone();
        while names.contains(&name) {
            name.insert_str(0, "input_");
        }
        names.push(name);
    }
    names
}
