//! Tests the formats that other tools load: Excel, Parquet, OMOP `NOTE_NLP`, `REDCap` and `cBioPortal`.

use std::collections::BTreeSet;

use calamine::{Data, Reader, Xlsx, open_workbook};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::json;

use crate::command::{RunOutput, Workspace};

const NOTES: &str = "\
mrn,note,visit,text
P1,101,=2+2,\"Stage IV lung adenocarcinoma with EGFR L858R.
Started on osimertinib. No brain metastases. Prior lumpectomy.\"
P2,102,v2,Nothing is said of any disease here.
P1,103,v3,\"Colon cancer, stage II; \"\"adjuvant\"\" FOLFOX is planned.\"
P3,104,v4,
";

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.put("in.csv", NOTES);
    workspace
}

/// Runs on the notes above, of which one fails.
fn run(workspace: &Workspace, arguments: &[&str]) -> RunOutput {
    let output = workspace.run(&[&["in.csv", "--id-column", "note", "--concurrency", "1"], arguments].concat());
    assert_eq!(output.code, Some(3), "{arguments:?}: {}", output.err);
    assert!(!output.err.contains("Stage") && !output.err.contains("P3"), "{}", output.err);
    output
}

/// Returns the rows of a comma-separated text.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn a_workbook_has_the_tables_of_csv_and_tidy_and_no_formula() {
    let workspace = workspace();
    run(&workspace, &["--keep", "mrn,visit", "--out", "out.xlsx"]);
    let mut book: Xlsx<_> = open_workbook(workspace.path("out.xlsx")).unwrap();
    assert_eq!(book.sheet_names(), ["notes", "values"]);
    for (sheet, format) in [("notes", "csv"), ("values", "tidy")] {
        let csv = run(&workspace, &["--keep", "mrn,visit", "--format", format]).out;
        let mut expected = rows(csv.trim_start_matches('\u{feff}'));
        assert!(book.worksheet_formula(sheet).unwrap().is_empty(), "{sheet}");
        let shown = |cell: &Data| cell.to_string();
        let mut found: Vec<Vec<String>> =
            book.worksheet_range(sheet).unwrap().rows().map(|row| row.iter().map(shown).collect()).collect();
        // A text cell needs no apostrophe. calamine writes flags as Rust does.
        expected.iter_mut().flatten().for_each(|cell| *cell = cell.replace("'=2+2", "=2+2"));
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{sheet}");
        let (number, text) = (book.worksheet_range(sheet).unwrap(), found);
        assert!(matches!(number.get((1, 1)), Some(Data::Float(_) | Data::Int(_))), "{text:?}");
    }
}

#[test]
fn a_cell_that_excel_cannot_hold_is_cut_and_said() {
    let workspace = Workspace::new();
    let long = "🩺".repeat(20_000);
    let line = json!({"id": "a", "text": "Stage IV lung cancer", "note": long, "odd": "a\u{ffff}\u{1}b"});
    workspace.put("in.jsonl", line.to_string());
    let output = workspace.run(&["in.jsonl", "--keep", "note,odd", "--out", "out.xlsx"]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    assert!(output.err.contains("cell(s) of the workbook were cut to 32767 characters"), "{}", output.err);
    let mut book: Xlsx<_> = open_workbook(workspace.path("out.xlsx")).unwrap();
    let notes = book.worksheet_range("notes").unwrap();
    let cell = |column| notes.get((1, column)).unwrap().to_string();
    assert!(cell(2).ends_with('…') && cell(2).encode_utf16().count() <= 32_767, "{}", cell(2).len());
    assert!(cell(3).starts_with('a') && cell(3).ends_with('b'), "{}", cell(3));
}

#[test]
fn a_parquet_file_has_the_rows_of_csv_and_tidy() {
    let workspace = workspace();
    for (format, csv) in [("parquet", "csv"), ("parquet-tidy", "tidy")] {
        let name = format!("{format}.parquet");
        run(&workspace, &["--keep", "visit", "--format", format, "--out", &name]);
        let file = std::fs::File::open(workspace.path(&name)).unwrap();
        let mut found: Vec<Vec<String>> = SerializedFileReader::new(file)
            .unwrap()
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().into_columns().into_iter().map(|(_, cell)| shown(&cell)).collect())
            .collect();
        let csv = run(&workspace, &["--keep", "visit", "--format", csv]).out;
        let mut expected = rows(csv.trim_start_matches('\u{feff}'));
        let head = expected.remove(0);
        expected.iter_mut().flatten().for_each(|cell| *cell = cell.replace("'=2+2", "=2+2"));
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{format}");
        let file = std::fs::File::open(workspace.path(&name)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<&str> = schema.get_fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, head, "{format}");
    }
}

fn shown(cell: &parquet::record::Field) -> String {
    use parquet::record::Field;
    match cell {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn note_nlp_has_the_columns_lengths_and_flags_of_the_data_model() {
    let workspace = workspace();
    let output = run(&workspace, &["--format", "note-nlp", "--out", "out.csv"]);
    let rows = rows(&workspace.text("out.csv"));
    let head = "note_nlp_id,note_id,section_concept_id,snippet,offset,lexical_variant,note_nlp_concept_id,\
                note_nlp_source_concept_id,nlp_system,nlp_date,nlp_datetime,term_exists,term_temporal,term_modifiers";
    assert_eq!(rows[0].join(","), head);
    let by = |field: &str, value: &str| {
        let part = (format!("field={field}; "), format!("value={value}"));
        let found = rows.iter().find(|row| row[13].contains(&part.0) && row[13].ends_with(&part.1));
        found.unwrap_or_else(|| panic!("{field} {value} in {rows:?}"))
    };
    for (field, value, exists, temporal) in [
        ("stage", "IV", "Y", "present"),
        ("treatment", "osimertinib", "Y", "present"),
        ("treatment", "lumpectomy", "Y", "past"),
        ("metastasis_site", "brain", "N", ""),
        ("treatment", "FOLFOX", "N", ""),
    ] {
        let row = by(field, value);
        assert_eq!((row[11].as_str(), row[12].as_str()), (exists, temporal), "{row:?}");
        assert!(row[3].contains(&row[5]) && !row[3].contains('\n'), "{row:?}");
    }
    assert!(by("metastasis_site", "brain")[13].starts_with("assertion=negated; "));
    let egfr = by("gene_mutation", "EGFR L858R");
    assert_eq!((egfr[1].as_str(), egfr[4].as_str(), egfr[5].as_str()), ("101", "34", "EGFR L858R"));
    assert!(egfr[8].starts_with("oncology gateway ") && egfr[8].ends_with("(rules)"), "{}", egfr[8]);
    assert!(egfr[10].starts_with(&egfr[9]) && egfr[9].len() == 10 && egfr[10].len() == 19, "{egfr:?}");
    let numbers: Vec<&str> = rows[1..].iter().map(|row| row[0].as_str()).collect();
    assert_eq!(numbers, (1..rows.len()).map(|number| number.to_string()).collect::<Vec<_>>());
    // The note that failed has no place there.
    assert!(output.err.contains("they are in out.csv.failed.jsonl, each with its error"), "{}", output.err);
    assert_eq!(workspace.results("out.csv.failed.jsonl").keys().collect::<Vec<_>>(), ["104"]);
    assert_eq!(workspace.run(&["in.csv", "--format", "note-nlp", "--out", "out.csv"]).code, Some(2));
}

#[test]
fn a_note_whose_id_the_tool_cannot_take_fails_unread() {
    let workspace = Workspace::new();
    let text = "Stage IV lung cancer";
    let (longest, longer) = ("a".repeat(63), "b".repeat(64));
    let ids = ["7", "007", "a/1", "P 1", "NA", &longest, &longer];
    let lines: Vec<String> = ids.iter().map(|id| json!({"id": id, "text": text}).to_string()).collect();
    workspace.put("in.jsonl", lines.join("\n"));
    for (format, rule, refused) in [
        ("note-nlp", "whole_number", &["007", "NA", "P 1", "a/1", &longest, &longer][..]),
        ("cbioportal", "sample_id", &["NA", "P 1", "a/1", &longer]),
    ] {
        let output = workspace.run(&["in.jsonl", "--format", format, "--out", format]);
        assert_eq!(output.code, Some(3), "{}", output.err);
        let name = if format == "cbioportal" { "cbioportal/failed.jsonl" } else { "note-nlp.failed.jsonl" };
        let failed = workspace.results(name);
        assert_eq!(failed.keys().collect::<Vec<_>>(), refused, "{format}");
        assert!(failed.values().all(|line| line["error"]["errors"][0]["rule"] == rule), "{format}: {failed:?}");
    }
}

#[test]
fn redcap_numbers_the_notes_of_a_record_and_its_dictionary_has_their_variables() {
    let workspace = workspace();
    let arguments = ["--format", "redcap", "--patient-column", "mrn", "--keep", "visit", "--data-dictionary", "dd.csv"];
    run(&workspace, &[&arguments[..], &["--out", "out.csv"]].concat());
    let found = rows(&workspace.text("out.csv"));
    let head = "mrn,redcap_repeat_instrument,redcap_repeat_instance,visit,note_id,cancer_type,stage,gene_mutation,biomarker,\
                treatment,response,metastasis_site,extraction_warnings,extraction_engine,oncology_note_complete";
    assert_eq!(found[0].join(","), head);
    let shown: BTreeSet<String> =
        found[1..].iter().map(|row| row[..5].join("|") + "|" + &row[6] + "|" + &row[14]).collect();
    let expected =
        ["P1|oncology_note|1|=2+2|101|IV|1", "P1|oncology_note|2|v3|103|II|1", "P2|oncology_note|1|v2|102||1"];
    assert_eq!(shown, expected.map(str::to_owned).into());
    let dictionary = rows(&workspace.text("dd.csv"));
    assert_eq!((dictionary[0].len(), dictionary[0][0].as_str()), (18, "Variable / Field Name"));
    let variables: Vec<&str> = dictionary[1..].iter().map(|row| row[0].as_str()).collect();
    let imported: Vec<&str> = found[0]
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with("redcap_") && !name.ends_with("_complete"))
        .collect();
    assert_eq!(variables, imported);
    for row in &dictionary[1..] {
        assert!(row.len() == 18 && row[1] == "oncology_note" && ["text", "notes"].contains(&&*row[3]), "{row:?}");
        let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        assert!(row[0].chars().all(is_name) && !row[4].is_empty(), "{row:?}");
    }
}

#[test]
fn redcap_takes_event_and_instance_from_the_input_and_no_row_twice() {
    let workspace = Workspace::new();
    workspace.put(
        "in.csv",
        "record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,Site Name,note\n\
         1,base_arm_1,oncology_note,1,x,Stage I colon cancer\n\
         1,base_arm_1,oncology_note,2,y,Stage II colon cancer\n\
         1,next_arm_1,oncology_note,1,z,Stage III colon cancer\n\
         1,next_arm_1,oncology_note,1,z,Stage IV colon cancer\n",
    );
    let keep = "Site Name,redcap_repeat_instance,redcap_event_name,redcap_repeat_instrument";
    let output = workspace.run(&[
        "in.csv",
        "--text-column",
        "note",
        "--patient-column",
        "record_id",
        "--keep",
        keep,
        "--format",
        "redcap",
        "--concurrency",
        "1",
        "--out",
        "out.csv",
    ]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let found = rows(&workspace.text("out.csv"));
    let head = ["record_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "site_name"];
    assert_eq!(found[0][..5], head);
    let shown: BTreeSet<String> = found[1..].iter().map(|row| row[..5].join("|") + "|" + &row[7]).collect();
    let expected =
        ["1|base_arm_1|oncology_note|1|x|I", "1|base_arm_1|oncology_note|2|y|II", "1|next_arm_1|oncology_note|1|z|III"];
    assert_eq!(shown, expected.map(str::to_owned).into());
    let failed = workspace.results("out.csv.failed.jsonl");
    assert!(failed.values().all(|line| line["error"]["errors"][0]["rule"] == "unique") && failed.len() == 1);
}

/// Checks a clinical file by the rules of cBioPortal's documentation and validator, and returns its columns and rows.
fn clinical(text: &str, required: &[&str]) -> (Vec<String>, Vec<Vec<String>>) {
    let lines: Vec<Vec<String>> = text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    let (head, rest) = lines.split_at(5);
    let count = head[4].len();
    for (number, line) in head[..4].iter().enumerate() {
        assert!(line[0].starts_with('#') && line.len() == count, "{line:?}");
        let cells = line.iter().map(|cell| cell.trim_start_matches('#').trim());
        for cell in cells {
            assert!(!cell.is_empty() && !cell.eq_ignore_ascii_case("na"), "{line:?}");
            assert!(number != 2 || ["STRING", "NUMBER", "BOOLEAN"].contains(&cell), "{line:?}");
            assert!(number != 3 || cell.parse::<u32>().is_ok(), "{line:?}");
        }
    }
    let names: BTreeSet<&String> = head[4].iter().collect();
    let upper = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    assert!(names.len() == count && names.iter().all(|name| name.chars().all(upper)), "{:?}", head[4]);
    assert!(required.iter().all(|name| head[4].iter().any(|other| other == name)), "{:?}", head[4]);
    for row in rest {
        assert_eq!(row.len(), count, "{row:?}");
        let is_id = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        for (name, cell) in head[4].iter().zip(row) {
            assert!(!name.ends_with("_ID") || !cell.is_empty() && cell.chars().all(is_id), "{row:?}");
            assert!(!(cell.starts_with('"') && cell.ends_with('"')) && cell.trim() == cell, "{row:?}");
        }
    }
    (head[4].clone(), rest.to_vec())
}

#[test]
fn cbioportal_gets_a_table_of_samples_and_a_table_of_patients() {
    let workspace = workspace();
    let arguments = ["--format", "cbioportal", "--patient-column", "mrn", "--keep", "visit,text", "--out", "study"];
    run(&workspace, &arguments);
    let (samples, mut rows) = clinical(&workspace.text("study/data_clinical_sample.txt"), &["PATIENT_ID", "SAMPLE_ID"]);
    let (patients, counts) = clinical(&workspace.text("study/data_clinical_patient.txt"), &["PATIENT_ID"]);
    // An attribute belongs to one of the two tables.
    assert!(patients.iter().all(|name| name == "PATIENT_ID" || !samples.contains(name)), "{patients:?} {samples:?}");
    rows.sort();
    let shown: Vec<String> = rows.iter().map(|row| [0, 1, 3, 9, 12].map(|at| row[at].as_str()).join("|")).collect();
    assert_eq!(shown, ["P1|101|IV|LUAD|=2+2", "P1|103|II|BOWEL|v3", "P2|102|||v2"].map(str::to_owned));
    assert!(rows[0][13].contains("EGFR L858R. Started"), "{:?}", rows[0]);
    assert_eq!(counts, [["P1", "2"], ["P2", "1"]]);
    assert_eq!(workspace.results("study/failed.jsonl").len(), 1);
    // Nothing is overwritten without --force.
    let again = workspace.run(&[&["in.csv", "--id-column", "note"], &arguments[..]].concat());
    assert!(again.code == Some(2) && again.err.contains("data_clinical_sample.txt exists"), "{}", again.err);
}

#[test]
fn an_output_that_cannot_be_written_so_is_refused_before_anything_is_read() {
    let workspace = workspace();
    workspace.put("file", "");
    for (arguments, expected) in [
        (&["--out", "r.xlsx.gz"][..], "results are not written as .gz"),
        (&["--out", "r.docx", "--format", "csv"], "results are not written as .docx"),
        (&["--out", "r.csv", "--format", "jsonl"], "contradict each other"),
        (&["--out", "r.xlsx", "--resume"], "--resume needs an output format that it can read"),
        (&["--out", "r.parquet", "--resume"], "--resume needs an output format that it can read"),
        (&["--format", "redcap", "--out", "r", "--resume"], "--resume needs an output format that it can read"),
        (&["--format", "jsonl", "--out-delimiter", ";"], "--out-delimiter is for --format csv and tidy"),
        (&["--out", "r.tsv", "--out-delimiter", ";"], "which means tabs between the cells"),
        (&["--out", "r.csv", "--out-delimiter", "="], "give comma, semicolon, tab"),
        (&["--format", "cbioportal"], "name a folder with --out"),
        (&["--format", "cbioportal", "--out", "file"], "--out file is a file"),
        (&["--format", "csv", "--data-dictionary", "d.csv"], "--data-dictionary is for --format redcap"),
        (&["--format", "redcap", "--id-column", "mrn,note"], "needs the record id alone"),
        (&["--format", "redcap", "--patient-column", "stage"], "has the name of a variable"),
        (&["--format", "note-nlp", "--keep", "mrn"], "--keep needs a format with room for other columns"),
        (&["--format", "json", "--keep", "visit", "--patient-column", "mrn"], "no place in a timeline"),
        (&["--format", "csv", "--patient-column", "mrn"], "redcap and cbioportal take it too"),
    ] {
        let output = workspace.run(&[&["in.csv"], arguments].concat());
        assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{arguments:?}: {}", output.err);
        assert!(output.err.contains(expected), "{arguments:?}: {}", output.err);
        assert!(!workspace.path("r").exists() && !workspace.path("r.csv").exists(), "{arguments:?}");
    }
}

#[test]
fn cells_are_separated_as_asked_or_as_the_name_says() {
    let workspace = workspace();
    for (name, delimiter, sign) in [
        ("a.csv", Some(";"), b';'),
        ("b.csv", Some("semicolon"), b';'),
        ("c.tsv", None, b'\t'),
        ("d.csv", None, b','),
        ("e.tsv", Some("tab"), b'\t'),
    ] {
        let flag: Vec<&str> = delimiter.map(|sign| ["--out-delimiter", sign]).into_iter().flatten().collect();
        let arguments = [&["--out", name, "--keep", "visit,text"][..], &flag].concat();
        run(&workspace, &arguments);
        let text = workspace.text(name);
        let mut reader = csv::ReaderBuilder::new().delimiter(sign).from_reader(text.as_bytes());
        let found: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert!(found.len() == 4 && found.iter().all(|row| row.len() == 14), "{name}: {text}");
        let output = workspace.run(&[&["in.csv", "--id-column", "note", "--resume"], &arguments[..]].concat());
        assert!(output.err.contains("3 notes are done, 1 failed notes"), "{name}: {}", output.err);
    }
}
