use proptest::prelude::*;

use super::*;

fn form() -> InputFormat {
    InputFormat { longest: 10_000, ..InputFormat::default() }
}

fn note_with(bytes: &[u8], form: &InputFormat) -> InputNote {
    let mut notes = Vec::new();
    assert!(read(bytes, "a.xml", form, &mut |note| {
        notes.push(note);
        true
    }));
    assert_eq!(notes.len(), 1);
    notes.remove(0)
}

/// Returns the text of a document, or `!rule`.
fn text(document: &str) -> String {
    note_with(document.as_bytes(), &form()).text.unwrap_or_else(|fault| format!("!{}", fault.rule()))
}

fn document(body: &str) -> String {
    let id = r#"<id root="1.2.3" extension="P24-1"/><effectiveTime value="20240105120000+0100"/>"#;
    let patient = r#"<recordTarget><patientRole><id root="1.2" extension="4711"/><id extension="9"/></patientRole></recordTarget>"#;
    format!(
        r#"<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>Report</title>{id}{patient}<component>{body}</component></ClinicalDocument>"#
    )
}

fn sections(sections: &str) -> String {
    document(&format!("<structuredBody>{sections}</structuredBody>"))
}

fn section(title: &str, text: &str) -> String {
    format!("<component><section><title>{title}</title><text>{text}</text></section></component>")
}

#[test]
fn sections_become_readable_text() {
    for (input, expected) in [
        (section("Final diagnosis", "Lung cancer"), "Final diagnosis:\nLung cancer"),
        (
            section("One", "<paragraph>a\n  b</paragraph><paragraph>c<br/>d</paragraph>") + &section("Two:", "e"),
            "One:\na b\nc\nd\n\nTwo:\ne",
        ),
        (section("T", "Stage IV\n  EGFR L858R"), "T:\nStage IV\nEGFR L858R"),
        (section("T", "H<sub>2</sub>O &lt;5 &amp; &#181;g<![CDATA[ <a>]]>"), "T:\nH2O <5 & µg <a>"),
        (
            section("T", "<list><caption>Sites</caption><item>liver</item><item>bone<list><item>rib</item></list></item></list>"),
            "T:\nSites\nliver\nbone\n\nrib",
        ),
        (
            section(
                "T",
                "<table><thead><tr><th>Gene</th><th>Result</th></tr></thead><tbody>\n<tr> <td><paragraph>EGFR</paragraph>\
                 <paragraph>exon</paragraph></td><td/><td>L858R</td> </tr><tr><td></td><td>x</td></tr></tbody></table>after",
            ),
            "T:\nGene | Result\nEGFR exon |  | L858R\n | x\n\nafter",
        ),
        (section("T", "<table><tr><td><table><tr><td>a</td><td>b</td></tr></table></td><td>c</td></tr></table>"), "T:\na b | c"),
        (
            section("T", r#"keep <content revised="delete">Stage IV <content>x</content></content><content styleCode="xStrikethrough Bold">wrong</content><content styleCode="Bold">this</content>"#),
            "T:\nkeep this",
        ),
        (section("T", "<p>a</p><div>b</div>"), "T:\na\nb"),
        // A section within a section; a title without text is left out.
        (
            "<component><section><title>Outer</title><component><section><title>Inner</title><text>a</text></section></component>\
             <component><section><title>Empty</title><text> </text></section></component></section></component>"
                .to_owned()
                + &section("Last", "b"),
            "Outer:\n\nInner:\na\n\nLast:\nb",
        ),
        // The text of a coded entry repeats the narrative.
        (
            section("T", "a").replace("</section>", "<entry><observation><text>code</text><title>x</title></observation></entry></section>"),
            "T:\na",
        ),
        (section("T", "a").replace('<', "<n:").replace("<n:/", "</n:"), "T:\na"),
        (String::new(), ""),
    ] {
        assert_eq!(text(&sections(&input)), expected, "{input}");
    }
}

#[test]
fn a_document_without_sections_is_read_where_it_is_text() {
    let body =
        |attributes: &str, text: &str| document(&format!("<nonXMLBody><text {attributes}>{text}</text></nonXMLBody>"));
    for (attributes, content, expected) in [
        (r#"mediaType="text/plain""#, "Stage IV\nlung", "Stage IV\nlung"),
        ("", "Stage &lt; IV", "Stage < IV"),
        (r#"mediaType="text/plain" representation="B64""#, "U3Rh\n Z2U=", "Stage"),
        (r#"mediaType="text/rtf""#, r"{\rtf1 Stage\par IV}", "Stage\nIV"),
        (r#"mediaType="text/plain" representation="B64""#, "U3Rh*", "!attachment"),
        (r#"mediaType="text/plain" representation="B64""#, "/w==", "!utf8"),
        (r#"mediaType="text/plain" representation="B64""#, "AGE=", "!attachment"),
        (r#"mediaType="application/pdf" representation="B64""#, "JVBERi0=", "!pdf"),
        (r#"mediaType="text/plain" representation="B64""#, "JVBERi0=", "!pdf"),
        (r#"mediaType="image/png" representation="B64""#, "AAAA", "!attachment"),
        (r#"mediaType="text/plain""#, r#"<reference value="a.pdf"/>"#, "!attachment"),
        ("", &"x".repeat(10_001), "!max_length"),
    ] {
        assert_eq!(text(&body(attributes, content)), expected, "{attributes}");
    }
}

#[test]
fn what_is_no_single_document_is_a_fault() {
    let good = sections(&section("T", "a"));
    for input in [
        String::new(),
        "Stage IV".to_owned(),
        "<a/>".to_owned(),
        "<html><ClinicalDocument/></html>".to_owned(),
        good.repeat(2),
        format!("{good}{}", good.replace(r#"<?xml version="1.0"?>"#, "")),
        format!("{good} text"),
        format!("text {good}"),
        good.replace("</section>", ""),
        good.replace("</ClinicalDocument>", ""),
        good.replace("?>", "?><!DOCTYPE a [<!ENTITY b \"c\">]>"),
        good.replace(">a<", ">&b;<"),
        good.replace(">a<", ">&#0;<"),
        good.replace("<text>", "<text styleCode='&b;'>")
            .replace("<text", "<text><content")
            .replace("</text>", "</content></text>"),
        sections(&section("T", &format!("{}a{}", "<content>".repeat(300), "</content>".repeat(300)))),
        sections(&section(&"x".repeat(1_001), "a")),
    ] {
        assert_eq!(text(&input), "!xml", "{}", input.get(..300).unwrap_or(&input));
    }
    assert_eq!(text(&sections(&section("T", &"long ".repeat(2_001)))), "!max_length");
    let large = sections(&format!("<!--{}-->", "x".repeat(17 << 20)));
    assert_eq!(text(&large), "!max_length");
}

#[test]
fn the_encoding_is_the_declared_one() {
    let declared = |name: &str| sections(&section("T", "Ödem")).replace("?>", &format!(" encoding='{name}'?>"));
    let latin = |name: &str| declared(name).chars().map(|character| character as u8).collect::<Vec<_>>();
    let utf16 =
        |name: &str| [0xfeff].into_iter().chain(declared(name).encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (bytes, expected) in [
        (declared("UTF-8").into_bytes(), "T:\nÖdem"),
        (format!("\u{feff}{}", declared("utf-8")).into_bytes(), "T:\nÖdem"),
        (latin("ISO-8859-1"), "T:\nÖdem"),
        (utf16("UTF-16"), "T:\nÖdem"),
        (latin("UTF-8"), "!charset"),
        (latin("nonsense"), "!charset"),
        (declared("UTF-16").into_bytes(), "!charset"),
    ] {
        let text = note_with(&bytes, &form()).text.unwrap_or_else(|fault| format!("!{}", fault.rule()));
        assert_eq!(text, expected);
    }
    let decoded = InputFormat { encoding: Some(encoding_rs::WINDOWS_1252), ..form() };
    assert_eq!(note_with(declared("ISO-8859-1").as_bytes(), &decoded).text.unwrap(), "T:\nÖdem");
}

#[test]
fn id_patient_and_day_come_from_the_header() {
    let some = |name: &str| Some(name.to_owned());
    let form = InputFormat { ids: vec!["id".to_owned()], patient: some("patient"), date: some("date"), ..form() };
    let good = sections(&section("T", "<content ID='x'>a</content>"));
    for (from, to, expected) in [
        ("", "", "P24-1 4711 2024-01-05"),
        (r#" extension="P24-1""#, "", "1.2.3 4711 2024-01-05"),
        (r#"<id root="1.2.3" extension="P24-1"/>"#, "", "! 4711 2024-01-05"),
        (r#"<id root="1.2" extension="4711"/>"#, "", "P24-1 9 2024-01-05"),
        (r#"<id root="1.2" extension="4711"/><id extension="9"/>"#, "", "P24-1 ! 2024-01-05"),
        ("</recordTarget>", "</recordTarget><recordTarget/>", "P24-1 ! 2024-01-05"),
        ("20240105120000+0100", "2024", "P24-1 4711 !"),
        (r#"<effectiveTime value="20240105120000+0100"/>"#, "", "P24-1 4711 -"),
    ] {
        let InputNote { id, patient, note_date, .. } = note_with(good.replace(from, to).as_bytes(), &form);
        let part =
            |part: Result<Option<String>, Fault>| part.map_or("!".to_owned(), |part| part.unwrap_or("-".to_owned()));
        let date = note_date.map(|date| date.map(|date| date.to_string()));
        assert_eq!(format!("{} {} {}", part(id), part(patient), part(date)), expected, "{from}");
    }
    let wrong = InputFormat { patient: some("PID-3"), ..form.clone() };
    assert_eq!(note_with(good.as_bytes(), &wrong).text.unwrap_err().rule(), "column");
}

#[test]
fn many_attributes_take_no_quadratic_time() {
    let many = format!("<content {}>a</content>", "a='' ".repeat(200_000));
    let started = std::time::Instant::now();
    assert_eq!(text(&sections(&section("T", &many))), "T:\na");
    assert!(started.elapsed() < std::time::Duration::from_mins(1));
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        note_with(&bytes, &form());
    }

    #[test]
    fn any_piece_taken_out_or_put_in_is_read_to_the_end(
        from in 0..600_usize,
        length in 0..40_usize,
        put in prop::sample::select(vec!["", "<td>", "</tr>", "&x;", "<section>", "<![CDATA[", "-->", "<br/>", "é", "<text/>"]),
    ) {
        let mut input = sections(&section("T", "<table><tr><td>a</td></tr></table><list><item>b</item></list>")).into_bytes();
        let start = from.min(input.len());
        let end = (start + length).min(input.len());
        input.splice(start..end, put.bytes());
        note_with(&input, &form());
    }
}
