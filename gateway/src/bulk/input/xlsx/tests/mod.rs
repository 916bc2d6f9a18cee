mod properties;
mod refused;

use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{
    value::{NumberFormat, shown},
    *,
};

const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

fn form() -> InputFormat {
    InputFormat { longest: 10_000, ..InputFormat::default() }
}

/// The parts of a workbook, by path.
#[derive(Clone)]
struct Book(Vec<(String, String)>);

impl Book {
    /// A workbook with the rows of these sheets, the first one visible.
    fn of(sheets: &[&str]) -> Self {
        let relation = |id: &str, kind: &str, target: &str| {
            format!(r#"<Relationship Id="{id}" Type="{RELATIONS}/{kind}" Target="{target}"/>"#)
        };
        let mut relations =
            relation("s", "sharedStrings", "sharedStrings.xml") + &relation("f", "styles", "/xl/styles.xml");
        let mut names = Vec::new();
        let mut book = Self(Vec::new());
        for (at, rows) in sheets.iter().enumerate() {
            relations += &relation(&format!("r{at}"), "worksheet", &format!("worksheets/sheet{at}.xml"));
            names.push(format!(r#"<sheet name="S{at}" sheetId="{at}" r:id="r{at}"/>"#));
            book.set(
                &format!("xl/worksheets/sheet{at}.xml"),
                &format!("<worksheet><sheetData>{rows}</sheetData></worksheet>"),
            );
        }
        let all = |content: &str| format!("<Relationships>{content}</Relationships>");
        book.set("_rels/.rels", &all(&relation("d", "officeDocument", "xl/workbook.xml")));
        book.set("xl/_rels/workbook.xml.rels", &all(&relations));
        book.set(
            "xl/workbook.xml",
            &format!(r#"<workbook xmlns:r="x"><workbookPr/><sheets>{}</sheets></workbook>"#, names.concat()),
        );
        book.set("xl/sharedStrings.xml", "<sst></sst>");
        book.set("xl/styles.xml", "<styleSheet></styleSheet>");
        book
    }

    fn set(&mut self, path: &str, content: &str) {
        self.0.retain(|(other, _)| other != path);
        self.0.push((path.to_owned(), content.to_owned()));
    }

    fn with(mut self, path: &str, content: &str) -> Self {
        self.set(path, content);
        self
    }

    fn with_formats(self, codes: &[&str]) -> Self {
        let own = codes
            .iter()
            .zip(200..)
            .map(|(code, id)| format!(r#"<numFmt numFmtId="{id}" formatCode="{code}"/>"#))
            .collect::<Vec<_>>()
            .concat();
        let cells =
            codes.iter().zip(200..).map(|(_, id)| format!(r#"<xf numFmtId="{id}"/>"#)).collect::<Vec<_>>().concat();
        self.with(
            "xl/styles.xml",
            &format!(r#"<styleSheet><numFmts>{own}</numFmts><cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf/><xf numFmtId="14"/>{cells}</cellXfs></styleSheet>"#),
        )
    }

    fn bytes(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, content) in &self.0 {
            writer
                .start_file(path, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
                .unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }
}

fn notes_with(bytes: &[u8], form: &InputFormat) -> Vec<InputNote> {
    let mut notes = Vec::new();
    read(Cursor::new(bytes), "", form, &mut |note| {
        notes.push(note);
        true
    });
    notes
}

/// Returns each note as `id: text`, a fault as `!rule`.
fn shown_notes(notes: Vec<InputNote>) -> Vec<String> {
    let text = |text: Result<String, Fault>| text.unwrap_or_else(|fault| format!("!{}", fault.rule()));
    let id = |id: Result<Option<String>, Fault>, place| match id {
        Ok(id) => id.unwrap_or(place),
        Err(fault) => format!("!{}", fault.rule()),
    };
    notes.into_iter().map(|note| format!("{}: {}", id(note.id, note.place), text(note.text))).collect()
}

fn notes(book: &Book) -> Vec<String> {
    shown_notes(notes_with(&book.bytes(), &form()))
}

/// A cell with a text in it.
fn inline(cell: &str, text: &str) -> String {
    format!(r#"<c r="{cell}" t="inlineStr"><is><t>{text}</t></is></c>"#)
}

fn row(number: u32, cells: &[&str]) -> String {
    let cells = cells.iter().zip('A'..).map(|(text, column)| inline(&format!("{column}{number}"), text));
    format!(r#"<row r="{number}">{}</row>"#, cells.collect::<String>())
}

#[test]
fn each_row_with_a_value_is_a_note() {
    let header = row(2, &["id", "text", "other"]);
    for (rows, expected) in [
        (row(3, &["a", "one"]) + &row(7, &["b", "two"]), vec!["a: one", "b: two"]),
        // A row without a value, one without an id, one without a text.
        (row(3, &["", " "]) + "<row r=\"4\"><c r=\"A4\" s=\"1\"/></row><row/>" + &row(6, &["", "x"]) + &row(7, &["b"]), vec!["row-6: x", "b: "]),
        (row(3, &["", "", "z"]), vec!["row-3: "]),
        // Cells and rows without a number.
        ("<row><c t=\"inlineStr\"><is><t>a</t></is></c><c t=\"str\"><v>b &lt; c</v></c></row>".to_owned(), vec!["a: b < c"]),
        (
            "<row r=\"3\"><c r=\"B3\" t=\"inlineStr\"><is> <r><rPr><b/></rPr><t>Stage </t></r> <r><t xml:space=\"preserve\">IV</t></r>\
             <rPh><t>no</t></rPh></is></c></row>".to_owned(),
            vec!["row-3: Stage IV"],
        ),
        (row(3, &["a", "one_x000D_\ntwo_x005F_x0041_ _x_ <![CDATA[&]]>"]), vec!["a: one\ntwo_x0041_ _x_ &"]),
        ("<row r=\"3\"><c r=\"A3\"><f>1+1</f><v>2</v></c><c r=\"B3\" t=\"str\"><f>A1&amp;B1</f><v>made</v></c></row>".to_owned(), vec!["2: made"]),
        ("<row r=\"3\"><c r=\"A3\" t=\"b\"><v>1</v></c><c r=\"B3\" t=\"e\"><v>#N/A</v></c></row>".to_owned(), vec!["TRUE: !type"]),
        ("<row r=\"3\" hidden=\"1\"><c r=\"B3\" t=\"d\"><v>2024-01-05T00:00:00</v></c></row>".to_owned(), vec!["row-3: 2024-01-05T00:00:00"]),
        (row(3, &["a", &"x".repeat(10_001)]) + &row(4, &["b", "two"]), vec!["a: !max_length", "b: two"]),
        (row(3, &[&"x".repeat(1_001), "one"]), vec!["!max_length: one"]),
    ] {
        assert_eq!(notes(&Book::of(&[&format!("<row r=\"1\"/>{header}{rows}")])), expected, "{rows}");
    }
}

#[test]
fn shared_texts_are_found_by_their_number() {
    let strings = "<sst uniqueCount=\"99999999999999\"><si><t>text</t></si><si/>\n<si>\n <t>one</t>\n</si>\
                   <si><r><t>t</t></r><r><t>wo</t></r><rPh sb=\"0\"><t>x</t></rPh></si></sst>";
    let cell =
        |number: u32, string: &str| format!("<row r=\"{number}\"><c r=\"A{number}\" t=\"s\"><v>{string}</v></c></row>");
    let rows = |rows: &[String]| Book::of(&[&rows.concat()]).with("xl/sharedStrings.xml", strings);
    assert_eq!(notes(&rows(&[cell(1, "0"), cell(2, "2"), cell(3, "3"), cell(4, "1")])), ["row-2: one", "row-3: two"]);
    for wrong in ["4", "-1", "x", "99999999999999999999"] {
        assert_eq!(
            notes(&rows(&[cell(1, "0"), cell(2, "2"), cell(3, wrong)])),
            ["row-2: one", "row-3: !xlsx"],
            "{wrong}"
        );
    }
}

#[test]
fn the_first_visible_sheet_with_the_column_is_read() {
    let good = row(1, &["ID", "Text"]) + &row(2, &["a", "one"]);
    let other = row(1, &["x", "y"]);
    let states = |states: [&str; 2], book: Book| {
        let sheets = states
            .iter()
            .enumerate()
            .map(|(at, state)| format!(r#"<sheet name="S{at}" state="{state}" r:id="r{at}"/>"#))
            .collect::<Vec<_>>()
            .concat();
        book.with("xl/workbook.xml", &format!("<workbook><sheets>{sheets}</sheets></workbook>"))
    };
    for (book, expected) in [
        (Book::of(&[&good]), "a: one"),
        (Book::of(&[&other, "", &good]), "a: one"),
        // The notes of the second sheet would be lost in silence.
        (Book::of(&[&good, &other, &good]), "row-1: !column"),
        (Book::of(&[&other]), "row-1: !column"),
        (Book::of(&[""]), "row-1: !column"),
        (Book::of(&[]), "row-1: !column"),
        (Book::of(&[&row(1, &["text", "text"])]), "row-1: !column"),
        (Book::of(&[&row(1, &["Text", "TEXT"])]), "row-1: !column"),
        (Book::of(&[&(row(1, &["TEXT", "text"]) + &row(2, &["no", "yes"]))]), "row-2: yes"),
        (states(["hidden", "visible"], Book::of(&[&good.replace("one", "old"), &good])), "a: one"),
        (states(["veryHidden", "hidden"], Book::of(&[&good, &good])), "row-1: !column"),
    ] {
        assert_eq!(notes(&book), [expected]);
    }
    let wanted = InputFormat { ids: vec!["case".to_owned()], ..form() };
    let found = notes_with(&Book::of(&[&good]).bytes(), &wanted).remove(0).text.unwrap_err().problem();
    let message = serde_json::to_string(&found).unwrap();
    let two =
        InputFormat { ids: vec!["b".to_owned(), "a".to_owned()], keep: vec!["n".to_owned(), "A".to_owned()], ..form() };
    let rows = row(1, &["a", "b", "text", "n"]) + &row(2, &["1", " x ", "one"]) + &row(3, &["", "", "two", "z"]);
    let found: Vec<_> = notes_with(&Book::of(&[&rows]).bytes(), &two)
        .into_iter()
        .map(|note| (note.id.ok().flatten(), note.carried))
        .collect();
    let carried = |values: [&str; 2]| values.map(str::to_owned).to_vec();
    assert_eq!(found, [(Some("x/1".to_owned()), carried(["", "1"])), (None, carried(["z", ""]))]);
    assert!(message.contains("no column `case`; the columns are: ID, Text. Name it with --id-column."), "{message}");
}

#[test]
fn numbers_and_days_are_as_shown() {
    let formats =
        ["dd.mm.yyyy", "00000", "[h]:mm", "#,##0.00\\ &quot;days&quot;", "[$-407]d\\. mmmm", "h:mm", "General"];
    let header = row(1, &["id", "text", "patient", "day"]);
    for (cell, expected) in [
        ("<v>12345</v>", "12345"),
        ("<v>123456789012345</v>", "123456789012345"),
        ("<v>1.2345E4</v>", "12345"),
        ("<v>5.0</v>", "5"),
        ("<v>3.2000000000000002</v>", "3.2"),
        ("<v>-0.1</v>", "-0.1"),
        ("<v>word</v>", "word"),
        ("<v>1234567890123456</v>", "!digits"),
        ("<v>1.2345678901234567E+19</v>", "!digits"),
    ] {
        let cells = ["A2", "C2"].map(|name| format!("<c r=\"{name}\">{cell}</c>"));
        let book = Book::of(&[&format!("{header}<row r=\"2\">{}</row>", cells.concat())]);
        let form = InputFormat { patient: Some("patient".to_owned()), ..form() };
        let note = notes_with(&book.bytes(), &form).remove(0);
        for part in [note.id, note.patient] {
            assert_eq!(part.map_or_else(|fault| format!("!{}", fault.rule()), Option::unwrap), expected, "{cell}");
        }
    }
    for (style, number, expected) in [
        (1, "45296", "2024-01-05"),
        (2, "45296.5", "2024-01-05 12:00"),
        (3, "42", "00042"),
        (3, "1234567", "1234567"),
        (4, "1.5", "1.5"),
        (5, "3", "3"),
        (6, "45296", "2024-01-05"),
        (7, "0.5", "12:00"),
        (8, "45296", "45296"),
        (99, "45296", "45296"),
    ] {
        let cell = format!("<row r=\"2\"><c r=\"B2\" s=\"{style}\"><v>{number}</v></c></row>");
        let book = Book::of(&[&format!("{header}{cell}")]).with_formats(&formats);
        assert_eq!(notes(&book), [format!("row-2: {expected}")], "{style}");
    }
    let cell = "<row r=\"2\"><c r=\"B2\" s=\"1\"><v>43834</v></c></row>";
    let book = Book::of(&[&format!("{header}{cell}")]).with_formats(&[]);
    let workbook = book
        .0
        .iter()
        .find(|(path, _)| path == "xl/workbook.xml")
        .unwrap()
        .1
        .replace("<workbookPr", "<workbookPr date1904=\"1\"");
    assert_eq!(notes(&book.with("xl/workbook.xml", &workbook)), ["row-2: 2024-01-05"]);
    for (serial, expected) in [
        ("1", "1900-01-01"),
        ("59", "1900-02-28"),
        ("61", "1900-03-01"),
        ("36585", "2000-02-29"),
        ("2958465", "9999-12-31"),
    ] {
        assert_eq!(shown(serial, NumberFormat::Day, false).text, expected);
    }
    for serial in ["-1", "2958466", "1e300"] {
        assert_ne!(shown(serial, NumberFormat::Day, false).text.get(4..5), Some("-"), "{serial}");
    }
}

#[test]
fn the_day_of_a_note_is_read() {
    let rows = row(1, &["text", "day"])
        + &row(2, &["a", "2024-01-05"])
        + "<row r=\"3\"><c r=\"B3\" s=\"2\"><v>45296.4</v></c></row>"
        + "<row r=\"4\"><c r=\"B4\" t=\"e\"><v>#N/A</v></c></row>"
        + &row(5, &["b"]);
    let form = InputFormat { date: Some("Day".to_owned()), ..form() };
    let found = notes_with(&Book::of(&[&rows]).with_formats(&["d.m.yy"]).bytes(), &form);
    let days: Vec<_> = found
        .into_iter()
        .map(|note| note.note_date.map_or("!".to_owned(), |day| day.map_or("-".to_owned(), |day| day.to_string())))
        .collect();
    assert_eq!(days, ["2024-01-05", "2024-01-05", "!", "-"]);
}

#[test]
fn reading_ends_when_no_more_notes_are_wanted() {
    let book = Book::of(&[&(row(1, &["text"]) + &row(2, &["a"]) + &row(3, &["b"]) + &row(4, &["c"]))]);
    let mut count = 0;
    let wanted = read(Cursor::new(book.bytes()), "", &form(), &mut |_| {
        count += 1;
        count < 2
    });
    assert!(!wanted);
    assert_eq!(count, 2);
}
