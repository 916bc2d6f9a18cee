//! Tests the formats of the results, and the review page.

use serde_json::Value;

use crate::command::{Workspace, by_id, lines, note, said};

/// Returns the rows of a CSV as a spreadsheet reads them.
fn table(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn a_spreadsheet_finds_no_formula_in_a_csv() {
    let workspace = Workspace::new();
    let ids = ["plain", "=1+1", "+x", "-x", "@x", "\tx", "'=x", "a,b", "a\"b", "a\nb", "ü😀"];
    let line = |id: &&str| serde_json::json!({"id": id, "text": note(3)}).to_string();
    let mut given: Vec<String> = ids.iter().map(line).collect();
    given.push("{".to_owned());
    workspace.put("in.jsonl", given.join("\n"));
    let output = workspace.run(&["in.jsonl", "--out", "out.csv", "--concurrency", "1"]);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let rows = table(&workspace.text("out.csv"));
    let head =
        "id,status,cancer_type,stage,gene_mutation,biomarker,treatment,response,metastasis_site,warnings,engine,error";
    assert_eq!(rows[0].join(","), head);
    let read: Vec<&Vec<String>> = rows[1..].iter().filter(|row| row[1] == "200").collect();
    let shown = ["plain", "'=1+1", "'+x", "'-x", "'@x", "'\tx", "''=x", "a,b", "a\"b", "a\nb", "ü😀"];
    assert_eq!(read.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), shown);
    assert_eq!((read[0][3].as_str(), read[0][10].as_str(), read[0][11].as_str()), ("IV", "rules", ""));
    let failed = rows.iter().find(|row| row[1] == "400").unwrap();
    assert!(failed[0] == "line-12" && failed[11].starts_with("invalid_json: "), "{failed:?}");
    // --resume recognises every row.
    let output = workspace.run(&["in.jsonl", "--out", "out.csv", "--resume"]);
    assert!(output.err.contains("11 notes are done, 1 failed notes"), "{}", output.err);
    assert_eq!(table(&workspace.text("out.csv")).len(), 13);
}

#[test]
fn a_tidy_csv_has_a_row_for_each_value_with_its_tumour_and_date() {
    let workspace = Workspace::new();
    let text = "Stage IV lung cancer on osimertinib. Breast cancer, stage I, treated with lumpectomy in 2015.";
    let lines = [
        serde_json::json!({"id": "two", "text": text}).to_string(),
        serde_json::json!({"id": "none", "text": "Nothing is said of any disease here."}).to_string(),
        "{".to_owned(),
    ];
    workspace.put("in.jsonl", lines.join("\n"));
    let output = workspace.run(&["in.jsonl", "--format", "tidy", "--concurrency", "1"]);
    let mut rows = table(&output.out);
    // A line that cannot be read fails before the notes before it are read.
    rows[1..].sort_by_key(|row| ["two", "none", "line-3"].iter().position(|id| *id == row[0]));
    let shown = rows.iter().map(|row| [0, 1, 3, 5, 6, 7, 9, 10, 12].map(|column| row[column].as_str()).join("|"));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            "id|status|tumour_name|field|value|in_record|assertion|date|codes",
            "two|200|lung cancer|cancer_type|lung cancer|true|present||oncotree:LUNG",
            "two|200|breast cancer|cancer_type|breast cancer|false|other_tumour||oncotree:BREAST",
            "two|200|lung cancer|stage|IV|true|present||",
            "two|200|breast cancer|stage|I|false|other_tumour||",
            "two|200|lung cancer|treatment|osimertinib|true|present||drugbank:DB09330",
            "two|200|breast cancer|treatment|lumpectomy|false|other_tumour|2015|",
            "none|200|||||||",
            "line-3|400|||||||",
        ]
    );
    assert!(rows[8][17].starts_with("invalid_json: ") && rows[7][16] == "rules", "{rows:?}");
    assert_eq!(rows[1][13..16], ["lung cancer", "9", "20"]);
}

#[test]
fn one_json_object_as_the_batch_route_answers() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", format!("{}{{\n", lines(0..3)));
    let output = workspace.run(&["in.jsonl", "--format", "json"]);
    let whole: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(whole["results"].as_array().unwrap().len(), 4);
    assert_eq!(whole["summary"], serde_json::json!({"ok": 3, "failed": 1}));
    workspace.put("none.jsonl", "\n");
    let output = workspace.run(&["none.jsonl", "--format", "json"]);
    let none: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!((output.code, none["results"].as_array().map(Vec::len)), (Some(0), Some(0)));
}

#[test]
fn a_table_has_one_line_per_note_and_no_control_characters() {
    let workspace = Workspace::new();
    let line = serde_json::json!({"id": "\u{1b}[2J\u{202e}evil\nid", "text": note(3)});
    workspace.put("in.jsonl", format!("{line}\n{{\n"));
    let output = workspace.run(&["in.jsonl", "--format", "table"]);
    assert_eq!(output.out.lines().count(), 3, "{}", output.out);
    assert!(output.out.chars().all(|letter| letter == '\n' || !letter.is_control() && letter != '\u{202e}'));
    assert!(
        output.out.contains("cancer_type") && output.out.contains("IV") && output.out.contains("failed: invalid_json")
    );
}

#[test]
fn the_format_follows_the_file_extension() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..1));
    for (name, begins) in
        [("a.jsonl", "{\"id\""), ("a.JSON", "{\"results\""), ("a.csv", "\u{feff}id,"), ("a", "{\"id\"")]
    {
        assert_eq!(workspace.run(&["in.jsonl", "--out", name]).code, Some(0));
        assert!(workspace.text(name).starts_with(begins), "{name}");
    }
    assert_eq!(workspace.run(&["in.jsonl", "--out", "a.part", "--format", "jsonl"]).code, Some(0));
    assert_eq!(by_id(&workspace.text("a.part")).len(), 1);
}

#[test]
fn a_page_shows_notes_of_this_run_and_of_earlier_ones() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..3));
    assert_eq!(workspace.run(&["in.jsonl", "--out", "out.jsonl"]).code, Some(0));
    workspace.put("in.jsonl", format!("{}{{\n", lines(0..5)));
    let arguments = ["in.jsonl", "--out", "out.jsonl", "--resume", "--review", "page.html"];
    let output = workspace.run(&arguments);
    assert_eq!(output.code, Some(3), "{}", output.err);
    let page = workspace.text("page.html");
    for number in 0..5 {
        assert_eq!(page.matches(&format!("\"text\":\"{}\"", note(number))).count(), 1, "{number}");
    }
    assert_eq!(page.matches("<script type=\"application/json\">").count(), 6);
    assert!(page.trim_end().ends_with("</html>") && !workspace.path("page.html.partial").exists());
    assert_eq!(workspace.run(&["in.jsonl", "--review", "page.html"]).code, Some(2));
}

#[test]
fn new_files_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let workspace = Workspace::new();
    workspace.put("in.jsonl", lines(0..3));
    let mode = |name: &str| std::fs::metadata(workspace.path(name)).unwrap().permissions().mode() & 0o777;
    let run = |arguments: &[&str]| {
        let output = workspace.run(arguments);
        assert_eq!(output.code, Some(0), "{}", output.err);
    };
    // A file that a killed run left.
    workspace.put("page.html.partial", "");
    for name in ["out.jsonl", "out.json", "out.csv"] {
        run(&["in.jsonl", "--out", name, "--review", "page.html", "--force"]);
        assert_eq!((mode(name), mode("page.html")), (0o600, 0o600), "{name}");
    }
    run(&["in.jsonl", "--out", "new.jsonl", "--resume"]);
    assert_eq!(mode("new.jsonl"), 0o600);
    // An existing file keeps its permissions.
    workspace.put("shared.jsonl", "");
    std::fs::set_permissions(workspace.path("shared.jsonl"), std::fs::Permissions::from_mode(0o640)).unwrap();
    run(&["in.jsonl", "--out", "shared.jsonl", "--force"]);
    assert_eq!(mode("shared.jsonl"), 0o640);
}

#[test]
fn codes_of_the_operators_files_are_in_the_output_and_a_bad_line_refuses_the_run() {
    let workspace = Workspace::new();
    workspace.put("in.jsonl", "{\"id\": \"a\", \"text\": \"Stage IV lung adenocarcinoma on osimertinib.\"}\n");
    workspace.put("codes.csv", "system,code,display,match\nPHARMACY,OSI-1,osimertinib,osimertinib\n");
    workspace.put("bad.csv", "system,code,display,match\nPHARMACY,OSI-1,osimertinib\n");
    let run = |arguments: &[&str], files: &str| said(workspace.command(arguments).env("GATEWAY_CODES__FILES", files));
    let output = run(&["in.jsonl"], "codes.csv");
    let answer = &by_id(&output.out)["a"]["result"];
    assert_eq!(answer["code_files"][0]["name"], "codes.csv", "{}", output.err);
    assert_eq!(answer["evidence"]["treatment"][0]["codes"][1]["code"], "OSI-1");
    let output = run(&["in.jsonl", "--format", "tidy"], "codes.csv");
    assert!(output.out.contains("drugbank:DB09330; PHARMACY:OSI-1"), "{}", output.out);
    let output = run(&["in.jsonl"], "bad.csv");
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{}", output.err);
    assert!(output.err.contains("bad.csv, line 2: the row must have four cells"), "{}", output.err);
}
