//! Tests that the content of an input decides how it is read, not its name, and that two patients never become one
//! note.

use std::{fs::File, io::Write as _};

use flate2::{Compression, write::GzEncoder};

use crate::command::{Workspace, by_id, failure, lines, note};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

/// Returns a note without a comma, for tables without quotes.
fn plain(number: usize) -> String {
    note(number).replace(',', "")
}

/// Returns the ids and stages of the notes that were read.
fn stages(out: &str) -> Vec<(String, String)> {
    let stage = |line: &serde_json::Value| line["result"]["stage"].as_str().unwrap_or("none").to_owned();
    by_id(out).iter().filter(|(_, line)| line["status"] == 200).map(|(id, line)| (id.clone(), stage(line))).collect()
}

#[test]
fn two_patients_are_two_notes_in_every_shape() {
    let workspace = Workspace::new();
    let (one, two) = (plain(1), plain(3));
    let csv = format!("id,text\nx,\"{one}\"\ny,\"{two}\"\n");
    let object = |id: &str, text: &str| serde_json::json!({"id": id, "text": text});
    let array = serde_json::json!([object("x", &one), object("y", &two)]);
    let pretty = serde_json::to_string_pretty(&array).unwrap();
    let wrapped = serde_json::to_string_pretty(&serde_json::json!({"kind": 1, "notes": array})).unwrap();
    let two_lines = format!("{}\n{}", object("x", &one), object("y", &two));
    let shapes: [(&str, Vec<u8>); 13] = [
        ("a.csv", csv.clone().into()),
        ("a.txt", csv.replace(',', "\t").into()),
        ("a.dat", format!("ID|TEXT\nx|{one}\ny|{two}\n").into()),
        ("b.csv", format!("sep=;\r\nid;text\r\nx;{one}\r\ny;{two}\r\n").into()),
        ("c.csv", utf16(&format!("id\ttext\r\nx\t{one}\r\ny\t{two}\r\n"))),
        ("a.json", array.to_string().into()),
        ("b.json", pretty.into()),
        ("c", wrapped.into()),
        ("d.txt", array.to_string().into()),
        ("e.txt", two_lines.clone().into()),
        ("e.jsonl.gz", gzip(two_lines.as_bytes())),
        ("f.jsonl", gzip(csv.as_bytes())),
        ("g", zstd::encode_all(two_lines.as_bytes(), 1).unwrap()),
    ];
    let expected = [("x".to_owned(), "II".to_owned()), ("y".to_owned(), "IV".to_owned())];
    for (name, content) in shapes {
        let columns: &[&str] = if name == "f.jsonl" { &["--from", "csv"] } else { &[] };
        workspace.put(name, &content);
        let output = workspace.run(&[&[name], columns].concat());
        assert_eq!((output.code, stages(&output.out)), (Some(0), expected.to_vec()), "{name}: {}", output.err);
        let output = workspace.run_with(&[&["-"], columns].concat(), &content);
        assert_eq!(
            (output.code, stages(&output.out)),
            (Some(0), expected.to_vec()),
            "{name} from stdin: {}",
            output.err
        );
    }
}

#[test]
fn a_table_without_a_named_column_is_not_read_as_one_note() {
    let workspace = Workspace::new();
    let table = format!("case_id,note_text\n9,\"{}\"\n10,\"{}\"\n", note(1), note(3));
    workspace.put("table.txt", &table);
    let output = workspace.run(&["table.txt", "--out", "new.jsonl"]);
    assert_eq!(output.code, Some(2), "{}", output.err);
    assert!(output.err.contains("looks like a table") && output.err.contains("case_id, note_text"), "{}", output.err);
    assert!(!workspace.path("new.jsonl").exists());
    let output = workspace.run_with(&["-"], &table);
    assert_eq!((output.code, failure(&by_id(&output.out)["stdin"]).2), (Some(3), "readable"));
    let output = workspace.run_with(&["-", "--text-column", "NOTE_TEXT", "--id-column", "case_id"], &table);
    assert_eq!(stages(&output.out).iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["10", "9"]);
    let output = workspace.run(&["table.txt", "--from", "text"]);
    assert_eq!((output.code, by_id(&output.out).len()), (Some(0), 1), "{}", output.err);
    // In a folder the file is one failed note.
    workspace.put("folder/table.txt", &table);
    workspace.put("folder/note.txt", note(1));
    let output = workspace.run(&["folder"]);
    assert_eq!(failure(&by_id(&output.out)["table.txt"]).2, "readable");
    assert_eq!(stages(&output.out), [("note.txt".to_owned(), "II".to_owned())]);
}

#[test]
fn flags_for_columns_need_columns() {
    let workspace = Workspace::new();
    workspace.put("note.txt", note(1));
    for flag in ["--text-column", "--id-column", "--date-column"] {
        let output = workspace.run(&["note.txt", flag, "x"]);
        assert_eq!(output.code, Some(2), "{flag}: {}", output.err);
        assert!(output.err.contains("has no columns") && output.err.contains(flag), "{flag}: {}", output.err);
        assert!(!output.err.contains("Patient"), "standard error contains text of a note");
        let output = workspace.run_with(&["-", flag, "x"], note(1));
        assert_eq!((output.code, failure(&by_id(&output.out)["stdin"]).2), (Some(3), "readable"), "{flag}");
    }
}

#[test]
fn a_quote_or_a_line_end_never_moves_text_to_another_patient() {
    let workspace = Workspace::new();
    let (one, two, four) = (plain(1), plain(2), "Stage IV melanoma with brain metastases");
    for (name, table, read, failed, words) in [
        (
            "end",
            format!("id,text\na,{one}\nb,\"{two}\nc,{four}\n"),
            &["a"][..],
            &["row-2"][..],
            "line 3 is never closed",
        ),
        (
            "next",
            format!("id,text\na,{one}\nb,\"{two}\nc,\"{four}\"\nd,x\n"),
            &["a"],
            &["row-2"],
            "in line 4 text follows",
        ),
        ("after", format!("id,text\na,\"{one}\" x\nb,{two}\n"), &[], &["row-1"], "line 2 text follows"),
        (
            "line end",
            format!("id,text\na,{one}\nb,{two}\nto {four}\nc,{one}\n"),
            &["a", "c"],
            &["b", "to Stage IV melanoma with brain metastases"],
            "may continue",
        ),
        ("comma", format!("id,text\na,{one}\nb,Stage I, later {four}\n"), &[], &[], ""),
        ("middle", format!("id,text,age\na,{one},1\nb,Stage I\nto IV,7\n"), &[], &[], ""),
    ] {
        workspace.put("t.csv", &table);
        let output = workspace.run(&["t.csv"]);
        let results = by_id(&output.out);
        assert_eq!(output.code, Some(3), "{name}: {}", output.err);
        if read.is_empty() && failed.is_empty() {
            // The row that may be cut fails; no value of it is written.
            assert_eq!(failure(&results["b"]).2, "row", "{name}");
            continue;
        }
        for id in read {
            assert_eq!(results[*id]["status"], 200, "{name} {id}");
        }
        for id in failed {
            assert_eq!(results[*id]["status"], 422, "{name} {id}");
        }
        assert_eq!(results.len(), read.len() + failed.len(), "{name}: {}", output.out);
        assert!(output.out.contains(words), "{name}: {}", output.out);
        assert!(!output.out.contains("\"brain\""), "{name}: a value of a row that is not in order");
    }
}

#[test]
fn rows_may_end_with_a_line_of_their_own() {
    let workspace = Workspace::new();
    let table =
        format!("MRN|Text\n3|{}\nsecond | line \"\n[report_end]\n4|{}\n[report_end]\n5|torn\n", note(1), note(3));
    workspace.put("reports.txt", &table);
    let named = ["reports.txt", "--text-column", "text", "--id-column", "mrn"];
    let output = workspace.run(&[&named[..], &["--row-end", "[report_end]"]].concat());
    let expected = [("3".to_owned(), "II".to_owned()), ("4".to_owned(), "IV".to_owned())];
    assert_eq!((output.code, stages(&output.out)), (Some(3), expected.to_vec()), "{}", output.err);
    assert_eq!(failure(&by_id(&output.out)["row-3"]).2, "row");
    let output = workspace.run(&named);
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""));
    assert!(output.err.contains("lines 4 and 6") && output.err.contains("--row-end"), "{}", output.err);
}

#[test]
fn ids_keep_every_digit_and_are_never_lost_in_silence() {
    let workspace = Workspace::new();
    let text = plain(1);
    workspace.put(
        "long.jsonl",
        format!("{{\"ID\": 123456789012345678901, \"text\": \"{text}\"}}\n{{\"id\": 1e3, \"Text\": \"{text}\"}}\n"),
    );
    let output = workspace.run(&["long.jsonl"]);
    assert_eq!(by_id(&output.out).into_keys().collect::<Vec<_>>(), ["123456789012345678901", "1e3"], "{}", output.err);
    workspace.put("cases.csv", format!("case,visit,text\n7,a,{text}\n7,b,{text}\n7,b,\n"));
    let output = workspace.run(&["cases.csv", "--skip-empty"]);
    assert_eq!(by_id(&output.out).into_keys().collect::<Vec<_>>(), ["row-1", "row-2"]);
    assert!(output.err.contains("no column `id`") && output.err.contains("case, visit"), "{}", output.err);
    assert!(output.err.contains("1 empty note(s) were left out"), "{}", output.err);
    let output = workspace.run(&["cases.csv", "--id-column", "case,visit", "--skip-empty"]);
    assert_eq!(by_id(&output.out).into_keys().collect::<Vec<_>>(), ["7/a", "7/b"], "{}", output.err);
    let output = workspace.run(&["cases.csv", "--id-column", "case", "--number-repeated-ids", "--skip-empty"]);
    assert_eq!(by_id(&output.out).into_keys().collect::<Vec<_>>(), ["7", "7~2"], "{}", output.err);
    workspace.put("nameless.jsonl", format!("{{\"case\": 1, \"text\": \"{text}\"}}\n"));
    let output = workspace.run(&["nameless.jsonl"]);
    assert!(output.err.contains("notes without `id`") && output.err.contains("case"), "{}", output.err);
}

#[test]
fn an_encoding_is_said_and_never_guessed() {
    let workspace = Workspace::new();
    let table = b"Fall;Gr\xf6\xdfe;Befund\n1;2 cm;Stage IV colon cancer, Gr\xf6\xdfe 2 cm\n";
    workspace.put("old.csv", table);
    let named = ["old.csv", "--text-column", "befund", "--id-column", "fall"];
    let output = workspace.run(&named);
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""), "{}", output.err);
    assert!(output.err.contains("not UTF-8") && output.err.contains("--encoding windows-1252"), "{}", output.err);
    let output = workspace.run(&[&named[..], &["--encoding", "cp1252"]].concat());
    assert_eq!(stages(&output.out), [("1".to_owned(), "IV".to_owned())], "{}", output.err);
}

#[test]
fn fhir_resources_are_notes() {
    let workspace = Workspace::new();
    let resource = |id: &str, kind: &str, data: &str| {
        serde_json::json!({"resourceType": "DocumentReference", "id": id, "subject": {"reference": "Patient/p1"},
            "date": "2024-03-01T10:00:00Z", "content": [{"attachment": {"contentType": kind, "data": data}}]})
    };
    // Stage IV colon cancer; <p>Stage II<br>colon cancer</p>
    let plain = resource("a", "text/plain; charset=utf-8", "U3RhZ2UgSVYgY29sb24gY2FuY2Vy");
    let html = resource("b", "text/html", "PHA+U3RhZ2UgSUk8YnI+Y29sb24gY2FuY2VyPC9wPg==");
    let scan = resource("c", "application/pdf", "JVBERi0=");
    let report =
        serde_json::json!({"resourceType": "DiagnosticReport", "id": "d", "conclusion": "Stage III colon cancer"});
    let patient = serde_json::json!({"resourceType": "Patient", "id": "p1"});
    let mut inside = plain.clone();
    inside["subject"]["reference"] = "#p".into();
    inside["contained"] =
        serde_json::json!([{"resourceType": "Patient", "id": "p", "identifier": [{"value": "MRN-7"}]}]);
    workspace.put("inside.json", inside.to_string());
    let output = workspace.run(&["inside.json", "--patient-column", "patient"]);
    assert!(output.out.contains("MRN-7") && !output.out.contains("#p"), "{}", output.out);
    for flag in ["--text-column", "--id-column", "--date-column", "--patient-column"] {
        let output = workspace.run(&["inside.json", flag, "other"]);
        assert!(output.code == Some(3) && output.out.contains("has no column `other`"), "{flag}: {}", output.out);
    }
    let all = [&plain, &html, &scan, &report, &patient];
    workspace.put("n.ndjson", all.map(ToString::to_string).join("\n"));
    let entries: Vec<_> = all.iter().map(|resource| serde_json::json!({"resource": resource})).collect();
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "searchset", "entry": entries});
    workspace.put("b.json", bundle.to_string());
    workspace.put("p.json", serde_json::to_string_pretty(&bundle).unwrap());
    for name in ["n.ndjson", "b.json", "p.json"] {
        let output = workspace.run(&[name]);
        let expected = [("a", "IV"), ("b", "II"), ("d", "III")].map(|(id, stage)| (id.to_owned(), stage.to_owned()));
        assert_eq!((output.code, stages(&output.out)), (Some(3), expected.to_vec()), "{name}: {}", output.err);
        assert_eq!(failure(&by_id(&output.out)["c"]).2, "pdf", "{name}");
        assert!(output.err.contains("1 Patient"), "{name}: {}", output.err);
    }
}

#[test]
fn what_is_no_text_is_refused_with_the_way_on() {
    let workspace = Workspace::new();
    for (name, content, words) in [
        ("c.jsonl", b"BZh91AY".as_slice(), "bzcat"),
        ("e.json", b"Stage IV", "not JSON"),
        ("f.xml", b"<?xml version=\"1.0\"?><notes><note>Stage IV</note></notes>", "XML of a kind"),
        ("g.txt", b"sep=;\nid;note\n1;Stage IV\n2;Stage I\n", "the columns are: id, note"),
    ] {
        workspace.put(name, content);
        let output = workspace.run(&[name]);
        assert_eq!(output.code, Some(2), "{name}: {}", output.err);
        assert!(output.err.contains(words), "{name}: {}", output.err);
    }
}

#[test]
fn a_compression_bomb_takes_little_memory_and_other_lines_are_read() {
    let workspace = Workspace::new();
    let mut encoder = GzEncoder::new(File::create(workspace.path("bomb.jsonl.gz")).unwrap(), Compression::fast());
    encoder.write_all(b"{\"id\": \"bomb\", \"text\": \"").unwrap();
    for _ in 0..64 {
        encoder.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    encoder.write_all(b"\"}\n").unwrap();
    encoder.write_all(lines(3..4).as_bytes()).unwrap();
    encoder.finish().unwrap();
    let output = workspace.run(&["bomb.jsonl.gz"]);
    assert_eq!(
        (output.code, stages(&output.out)),
        (Some(3), vec![("n-3".to_owned(), "IV".to_owned())]),
        "{}",
        output.err
    );
    assert_eq!(failure(&by_id(&output.out)["line-1"]), (400, "invalid_json", ""));
}

#[test]
fn a_broken_document_gives_the_notes_before_the_fault() {
    let workspace = Workspace::new();
    workspace.put("torn.json", format!("[{{\"id\": \"a\", \"text\": \"{}\"}},\n {{\"id\": \"b\", \"te", note(3)));
    let output = workspace.run(&["torn.json"]);
    assert_eq!(
        (output.code, stages(&output.out)),
        (Some(3), vec![("a".to_owned(), "IV".to_owned())]),
        "{}",
        output.err
    );
    let fault = &by_id(&output.out)["note-2"];
    assert_eq!(failure(fault), (400, "invalid_json", ""));
    assert!(fault["error"]["detail"].as_str().unwrap().contains("ends too early"), "{fault}");
}
