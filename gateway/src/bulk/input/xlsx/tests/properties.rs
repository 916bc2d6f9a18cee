//! What holds for any bytes, and a comparison with calamine.

use calamine::{DataRef, Reader as _, ReaderRef as _};
use proptest::prelude::*;

use super::*;

/// Escapes a text for XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\r', "&#13;")
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let found = notes_with(&bytes, &form());
        prop_assert_eq!(found.len(), 1);
        notes_with(&[b"PK\x03\x04".as_slice(), &bytes].concat(), &form());
    }

    #[test]
    fn a_changed_byte_is_read_to_the_end(at in 0..5_000_usize, byte in any::<u8>()) {
        let mut bytes = Book::of(&[&(row(1, &["id", "text"]) + &row(2, &["a", "one"]))]).with_formats(&["d.m.y"]).bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        notes_with(&bytes, &form());
    }

    #[test]
    fn a_changed_part_is_read_to_the_end(
        part in 0..6_usize,
        from in 0..400_usize,
        length in 0..30_usize,
        put in prop::sample::select(vec!["", "<row>", "</c>", "&x;", "<si>", "]]>", "<c r=\"A1\"/>", "\"", "é", "-1", "99999999999999999999"]),
    ) {
        let mut book = Book::of(&[&(row(1, &["id", "text"]) + &row(2, &["a", "one"]) + &row(3, &["b", "two"]))]).with_formats(&["d.m.y"]);
        let content = &mut book.0[part].1;
        let start = from.min(content.len());
        let end = (start + length).min(content.len());
        content.replace_range(start..end, put);
        for note in notes_with(&book.bytes(), &form()) {
            let text = note.text.unwrap_or_default();
            prop_assert!(!(text.contains("one") && text.contains("two")), "{}", text);
        }
    }

    /// Another reader finds the same values in the same cells.
    #[test]
    fn values_are_those_of_calamine(
        cells in prop::collection::vec(prop_oneof![
            "[ -~äß\\n\\r]{0,12}".prop_map(|text| (text, "text")),
            (-1_000_000_i64..1_000_000).prop_map(|number| (number.to_string(), "number")),
            (1_u32..60_000).prop_map(|day| (day.to_string(), "day")),
            (-1_000_000_i32..1_000_000).prop_map(|number| ((f64::from(number) / 1_000.0).to_string(), "number")),
            any::<bool>().prop_map(|value| (u8::from(value).to_string(), "bool")),
        ], 1..8),
        shared in any::<bool>(),
    ) {
        let (mut rows, mut strings) = (vec![row(1, &["text"])], Vec::new());
        for ((value, kind), number) in cells.iter().zip(2..) {
            let text = format!("<t xml:space=\"preserve\">{}</t>", escaped(value));
            let cell = match *kind {
                "text" if shared => {
                    strings.push(format!("<si>{text}</si>"));
                    format!(" t=\"s\"><v>{}</v>", strings.len() - 1)
                }
                "text" => format!(" t=\"inlineStr\"><is>{text}</is>"),
                "day" => format!(" s=\"1\"><v>{value}</v>"),
                "bool" => format!(" t=\"b\"><v>{value}</v>"),
                _ => format!("><v>{value}</v>"),
            };
            rows.push(format!("<row r=\"{number}\"><c r=\"A{number}\"{cell}</c></row>"));
        }
        let (rows, strings) = (rows.concat(), strings.concat());
        let book = Book::of(&[&rows]).with_formats(&[]).with("xl/sharedStrings.xml", &format!("<sst>{strings}</sst>"));
        let mut other = calamine::Xlsx::new(Cursor::new(book.bytes())).unwrap();
        let range = other.worksheet_range_ref("S0").unwrap();
        let expected: Vec<_> = range.rows().zip(1..).skip(1).filter_map(|(cells, number)| {
            let text = match &cells[0] {
                DataRef::Float(number) => number.to_string(),
                DataRef::Bool(value) => value.to_string().to_uppercase(),
                DataRef::DateTime(day) => {
                    let (year, month, day, ..) = day.to_ymd_hms_milli();
                    format!("{year:04}-{month:02}-{day:02}")
                }
                DataRef::String(text) => text.replace("\r\n", "\n").replace('\r', "\n"),
                DataRef::SharedString(text) => text.replace("\r\n", "\n").replace('\r', "\n"),
                _ => String::new(),
            };
            (!text.trim().is_empty()).then(|| format!("row-{number}: {text}"))
        }).collect();
        prop_assert_eq!(notes(&book), expected);
    }
}
