//! Workbooks that are refused: damaged, too large, or with rows that could be mixed.

use super::*;

#[test]
fn a_sheet_that_could_mix_rows_is_refused() {
    let start = row(1, &["id", "text"]) + &row(2, &["a", "one"]);
    for rows in [
        row(2, &["b", "two"]),
        row(1, &["b", "two"]),
        row(0, &["b", "two"]),
        row(1_048_577, &["b", "two"]),
        "<row r=\"x\"/>".to_owned(),
        format!("<row r=\"3\">{}</row>", inline("B4", "two")),
        format!("<row r=\"3\">{}{}</row>", inline("B3", "two"), inline("A3", "b")),
        format!("<row r=\"3\">{}{}</row>", inline("B3", "two"), inline("B3", "b")),
        format!("<row r=\"3\">{}</row>", inline("XFE3", "two")),
        format!("<row r=\"3\">{}</row>", inline("AAAAAAAAA3", "two")),
        format!("<row r=\"3\">{}</row>", inline("3", "two")),
        format!("<row r=\"3\">{}</row>", inline("B99999999999", "two")),
        format!("<row r=\"3\">{}</row>", "<c/>".repeat(16_385)),
        "<row r=\"3\"><c r=\"B3\" t=\"inlineStr\"><is><t>&wrong;</t></is></c></row>".to_owned(),
        "<a>".repeat(100),
        "<!DOCTYPE a>".to_owned(),
    ] {
        let rows = format!("{start}{rows}");
        let found = notes(&Book::of(&[&rows]));
        assert_eq!(found, ["a: one", "row-3: !xlsx"], "{}", rows.get(..900).unwrap_or(&rows));
    }
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let header = row(1, &["text"]);
    // Longer than the read buffers together with the limit.
    let long = "x".repeat((8 << 20) / SMALLER + (16 << 10));
    let cell = format!("<row r=\"2\">{}</row>", inline("A2", &long));
    let runs = "<t>xxxxxxxxxxxxx</t>".repeat((16 << 20) / SMALLER / 10);
    let runs = format!("<row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is>{runs}</is></c></row>");
    let strings = |content: &str, count: usize| format!("<sst>{}</sst>", content.repeat(count));
    let formats = format!("<s><cellXfs>{}</cellXfs></s>", "<xf/>".repeat(100_000 / SMALLER + 2));
    let sheet = |rows: &str| Book::of(&[&format!("{header}{rows}")]);
    let with = |path: &str, content: &str| Book::of(&[&header]).with(path, content);
    for (book, expected) in [
        (sheet(&cell), "row-2: !xlsx"),
        (sheet(&format!("<row r=\"2\" a=\"{long}\"/>")), "row-2: !xlsx"),
        (sheet(&format!("<!--{long}-->")), "row-2: !xlsx"),
        (sheet(&runs), "row-2: !max_length"),
        (with("xl/styles.xml", &"<a/>".repeat((16 << 20) / SMALLER / 4 + 5)), "row-1: !xlsx"),
        (with("xl/styles.xml", &formats), "row-1: !xlsx"),
        (with("xl/sharedStrings.xml", &strings("<si/>", (64 << 20) / SMALLER / 4 + 1)), "row-1: !xlsx"),
        (
            with(
                "xl/sharedStrings.xml",
                &strings(&format!("<si><t>{}</t></si>", "x".repeat(1_000)), (64 << 20) / SMALLER / 1_004 + 1),
            ),
            "row-1: !xlsx",
        ),
        (
            with(
                "xl/sharedStrings.xml",
                &strings(
                    &format!(
                        "<si>{}</si>",
                        format!("<t>{}</t>", "x".repeat(1_000)).repeat((8 << 20) / SMALLER / 1_000 + 1)
                    ),
                    1,
                ),
            ),
            "row-1: !xlsx",
        ),
    ] {
        assert_eq!(notes(&book), [expected]);
    }
}

#[test]
fn what_is_no_workbook_is_refused() {
    let good = Book::of(&[&row(1, &["text"])]);
    let without = |path: &str| {
        let mut book = good.clone();
        book.0.retain(|(other, _)| other != path);
        book.bytes()
    };
    let bytes = good.bytes();
    let mut many = Book::of(&[]);
    many.0.extend((0..10_001).map(|at| (at.to_string(), String::new())));
    let mut long_names = Book::of(&[]);
    long_names.0.extend((0..60).map(|at| (format!("{at}{}", "x".repeat(40_000)), String::new())));
    let binary =
        good.0.iter().find(|(path, _)| path == "_rels/.rels").unwrap().1.replace("workbook.xml", "workbook.bin");
    for wrong in [
        Vec::new(),
        b"id,text\n1,a\n".to_vec(),
        b"PK\x03\x04".to_vec(),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest".to_vec(),
        bytes[..bytes.len() / 2].to_vec(),
        bytes[..bytes.len() - 1].to_vec(),
        without("_rels/.rels"),
        without("xl/workbook.xml"),
        without("xl/_rels/workbook.xml.rels"),
        good.clone().with("xl/workbook.xml", "<a").bytes(),
        good.clone().with("_rels/.rels", &binary).bytes(),
        many.bytes(),
        long_names.bytes(),
    ] {
        let found = shown_notes(notes_with(&wrong, &form()));
        assert_eq!(found, ["row-1: !xlsx"], "{}", wrong.len());
    }
    // Parts that a workbook may lack.
    for path in ["xl/styles.xml", "xl/sharedStrings.xml"] {
        assert_eq!(shown_notes(notes_with(&without(path), &form())), [""; 0], "{path}");
    }
}
