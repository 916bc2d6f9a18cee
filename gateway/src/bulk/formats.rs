//! The formats of the results: the extensions of their files, and what each can hold.

use std::path::Path;

use clap::ValueEnum;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// One JSON object per line, as the batch route answers.
    Jsonl,
    /// One JSON object with all results and a summary.
    Json,
    /// One row per note, for spreadsheets.
    Csv,
    /// CSV with one row per value: its tumour, date, codes and quote.
    Tidy,
    /// A table to read on a terminal.
    Table,
    /// An Excel workbook with a sheet of notes and a sheet of values.
    Xlsx,
    /// A Parquet file with one row per note.
    Parquet,
    /// A Parquet file with one row per value, as `tidy`.
    ParquetTidy,
    /// Rows for the table `NOTE_NLP` of the OMOP common data model 5.4, as CSV.
    NoteNlp,
    /// CSV for `REDCap`'s data import.
    Redcap,
    /// A folder with the clinical tables of a `cBioPortal` study.
    Cbioportal,
}

/// Extensions of known formats in which results are not written.
const OTHER_FORMATS: &[&str] = &[
    "7z", "accdb", "ann", "arrow", "avro", "bz2", "cbor", "db", "doc", "docx", "dta", "duckdb", "feather", "fods",
    "gz", "h5", "hdf5", "hl7", "htm", "html", "md", "mdb", "msgpack", "npy", "npz", "numbers", "ods", "odt", "orc",
    "pdf", "pickle", "pkl", "pptx", "rar", "rda", "rdata", "rds", "rtf", "sas7bdat", "sav", "sqlite", "sqlite3", "tar",
    "tex", "tgz", "toml", "xls", "xlsb", "xlsm", "xml", "xpt", "xz", "yaml", "yml", "zip", "zst",
];

impl OutputFormat {
    /// The formats that are written in one file.
    const FILES: [Self; 10] = [
        Self::Jsonl,
        Self::Json,
        Self::Csv,
        Self::Table,
        Self::Xlsx,
        Self::Parquet,
        // These are chosen by --format only.
        Self::Tidy,
        Self::ParquetTidy,
        Self::NoteNlp,
        Self::Redcap,
    ];

    /// Returns the extensions of a file in this format.
    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Jsonl => &["jsonl", "ndjson"],
            Self::Json => &["json"],
            Self::Csv | Self::Tidy => &["csv", "tsv", "tab"],
            Self::NoteNlp | Self::Redcap => &["csv"],
            Self::Table => &["txt", "text"],
            Self::Xlsx => &["xlsx"],
            Self::Parquet | Self::ParquetTidy => &["parquet", "pq"],
            Self::Cbioportal => &[],
        }
    }

    /// Returns the format that the extension of a file means; `None` if it means none that is written.
    pub(super) fn of(out: &Path) -> Option<Self> {
        let extension = extension(out)?;
        Self::FILES.into_iter().find(|format| format.extensions().contains(&extension.as_str()))
    }

    /// Returns why a file cannot be written: its extension names another format.
    pub(super) fn refusal(chosen: Option<Self>, out: &Path) -> Option<String> {
        let (extension, path) = (extension(out)?, out.display());
        if OTHER_FORMATS.contains(&extension.as_str()) {
            let written: Vec<String> = Self::FILES
                .iter()
                .take(6)
                .flat_map(|format| format.extensions())
                .map(|extension| format!(".{extension}"))
                .collect();
            return Some(format!(
                "--out {path}: results are not written as .{extension}. Written are {}; other formats by --format",
                written.join(", ")
            ));
        }
        let (chosen, named) = (chosen?, Self::of(out)?);
        if chosen.extensions().contains(&extension.as_str()) {
            return None;
        }
        Some(format!(
            "--out {path} and --format {} contradict each other: .{extension} is the extension of {}. Name another file, or leave out --format",
            chosen.name(),
            named.name()
        ))
    }

    /// Returns the name of the format on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Returns whether the output is not text.
    pub(super) fn is_binary(self) -> bool {
        matches!(self, Self::Xlsx | Self::Parquet | Self::ParquetTidy)
    }

    /// Returns whether a later run can continue with the output.
    pub(super) fn is_resumable(self) -> bool {
        matches!(self, Self::Jsonl | Self::Csv)
    }

    /// Returns whether the output has a place for carried values.
    pub(super) fn carries(self) -> bool {
        !matches!(self, Self::Table | Self::NoteNlp)
    }

    /// Returns whether the output has a row or line for a note that failed.
    pub(super) fn has_failures(self) -> bool {
        !matches!(self, Self::NoteNlp | Self::Redcap | Self::Cbioportal)
    }

    /// Returns whether the output has the warnings of each note.
    pub(super) fn has_warnings(self) -> bool {
        !matches!(self, Self::Tidy | Self::ParquetTidy | Self::NoteNlp)
    }

    /// Returns whether the delimiter of the output can be chosen.
    pub(super) fn has_delimiter(self) -> bool {
        matches!(self, Self::Csv | Self::Tidy)
    }

    /// Returns whether the output of a run with a patient column is a timeline for each patient.
    pub(super) fn is_timeline(self) -> bool {
        matches!(self, Self::Jsonl | Self::Json)
    }

    /// Returns whether the output can say of which patient a note is.
    pub(super) fn has_patients(self) -> bool {
        self.is_timeline() || matches!(self, Self::Redcap | Self::Cbioportal)
    }
}

fn extension(out: &Path) -> Option<String> {
    Some(out.extension()?.to_str()?.to_ascii_lowercase())
}

/// Returns whether the extension of a file means that tabs are between the cells.
pub(super) fn is_tab_separated(out: &Path) -> bool {
    extension(out).is_some_and(|extension| matches!(extension.as_str(), "tsv" | "tab"))
}

/// Parses the delimiter of CSV: its name or the character itself.
pub(super) fn parse_delimiter(value: &str) -> Result<u8, String> {
    match (value, value.as_bytes()) {
        ("comma", _) => Ok(b','),
        ("semicolon", _) => Ok(b';'),
        ("tab" | "\\t", _) => Ok(b'\t'),
        ("pipe", _) => Ok(b'|'),
        (_, [sign @ (b'\t' | b',' | b';' | b'|' | b':' | b'^' | b'~' | b'!' | b'#' | b'$' | b'%' | b'&' | b'*')]) => {
            Ok(*sign)
        }
        _ => Err("give comma, semicolon, tab, pipe or one of the characters , ; | : ^ ~ ! # $ % & *".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_the_output_names_a_format_or_is_refused() {
        use OutputFormat::{Csv, Json, Jsonl, Parquet, ParquetTidy, Redcap, Table, Tidy, Xlsx};
        let cases = [
            ("a.jsonl", None, Ok(Some(Jsonl))),
            ("a.NDJSON", None, Ok(Some(Jsonl))),
            ("a.json", Some(Json), Ok(Some(Json))),
            ("a.csv", None, Ok(Some(Csv))),
            ("a.tsv", Some(Tidy), Ok(Some(Csv))),
            ("a.csv", Some(Redcap), Ok(Some(Csv))),
            ("a.txt", Some(Table), Ok(Some(Table))),
            ("a.xlsx", None, Ok(Some(Xlsx))),
            ("a.parquet", Some(ParquetTidy), Ok(Some(Parquet))),
            ("a", Some(Csv), Ok(None)),
            ("/tmp/tmp.Ab12", None, Ok(None)),
            ("a.part", Some(Csv), Ok(None)),
            ("a.xlsx.gz", None, Err("not written as .gz")),
            ("a.jsonl.gz", Some(Jsonl), Err("not written as .gz")),
            ("a.docx", None, Err("not written as .docx")),
            ("a.XLS", Some(Xlsx), Err("not written as .xls")),
            ("a.csv", Some(Jsonl), Err("--format jsonl contradict each other")),
            ("a.tsv", Some(Redcap), Err("--format redcap contradict each other")),
            ("a.txt", Some(Csv), Err(".txt is the extension of table")),
        ];
        for (name, chosen, expected) in cases {
            let path = Path::new(name);
            match (OutputFormat::refusal(chosen, path), expected) {
                (None, Ok(format)) => assert_eq!(OutputFormat::of(path), format, "{name}"),
                (Some(why), Err(part)) => assert!(why.contains(part), "{name}: {why}"),
                (found, expected) => panic!("{name}, {chosen:?}: {found:?} instead of {expected:?}"),
            }
        }
    }

    #[test]
    fn a_delimiter_is_a_name_or_a_sign() {
        for (value, sign) in [("comma", b','), (";", b';'), ("tab", b'\t'), ("\\t", b'\t'), ("\t", b'\t'), ("|", b'|')]
        {
            assert_eq!(parse_delimiter(value), Ok(sign), "{value}");
        }
        for value in ["", "\"", "'", "=", "a", "-", "\n", ";;", "ü"] {
            assert!(parse_delimiter(value).is_err(), "{value}");
        }
    }
}
