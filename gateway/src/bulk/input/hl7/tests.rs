use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::*;

const HEAD: &str = "MSH|^~\\&|LAB|HOSP|REG|STATE|20240105||ORU^R01|M1|P|2.5.1\r";

fn form() -> InputFormat {
    InputFormat { longest: 10_000, ..InputFormat::default() }
}

fn notes_with(input: &[u8], form: &InputFormat) -> Vec<InputNote> {
    let mut notes = Vec::new();
    // A small buffer, so that segments lie across its end.
    read(BufReader::with_capacity(7, input), "", form, &mut |note| {
        notes.push(note);
        true
    });
    notes
}

fn notes(input: &str) -> Vec<InputNote> {
    notes_with(input.as_bytes(), &form())
}

/// Returns each note as `id: text`, a fault as `!rule`.
fn shown(notes: Vec<InputNote>) -> Vec<String> {
    let text = |text: Result<String, Fault>| text.unwrap_or_else(|fault| format!("!{}", fault.rule()));
    notes.into_iter().map(|note| format!("{}: {}", note.id.unwrap().unwrap_or(note.place), text(note.text))).collect()
}

/// Reads the results of one message that has one order.
fn results(segments: &[&str]) -> Vec<String> {
    shown(notes(&format!("{HEAD}PID|1||4711\rOBR|1|||1^REPORT\r{}\r", segments.join("\r"))))
}

#[test]
fn results_become_readable_text() {
    for (segments, expected) in [
        (vec![r"OBX|1|TX|2^FINAL DIAGNOSIS||Lung cancer\.br\EGFR L858R||||||F"], "M1: Lung cancer\nEGFR L858R"),
        (
            vec!["OBX|1|TX|2^FINAL DIAGNOSIS||Lung cancer||||||F", "OBX|2|TX|2^FINAL DIAGNOSIS||Liver||||||F"],
            "M1: Lung cancer\nLiver",
        ),
        (
            vec!["OBX|1|TX|2^DIAGNOSIS||Lung cancer||||||F", "OBX|2|FT|3^COMMENT:||one~two||||||F"],
            "M1: DIAGNOSIS:\nLung cancer\n\nCOMMENT:\none\ntwo",
        ),
        (
            vec![
                "OBX|1|NM|1^Tumor size||3.2|cm^centimetre|||||F",
                "OBX|2|CWE|2^Grade||G2^moderate^LN~G3^high^LN||||||F",
                "OBX|3|ST|3^PD-L1:||>50 %||||||F",
                "OBX|4|SN|4^Ki-67||>^20^-^30|%|||||F",
                "OBX|5|CE|5||^^^^other text||||||F",
                "OBX|6|XPN|6^Name||A^B||||||F",
            ],
            "M1: Tumor size: 3.2 cm\nGrade: moderate\nGrade: high\nPD-L1: >50 %\nKi-67: >20-30 %\n5: other text\nName: A B",
        ),
        (
            vec![r"OBX|1|FT|1^D||a\F\b\S\c\T\d\R\e\E\f\H\g\N\h\.sp2\i\X0D0A\j\X41\ C:\dir \.in+4\k\Zx\||||||F"],
            "M1: a|b^c&d~e\\fgh\n\ni\njA C:\\dir k\\Zx\\",
        ),
        (
            vec!["OBX|1|TX|1^D||Mass||||||F", "NTE|1|L|seen twice~on CT", "OBX|2|TX|1^D||Lung||||||F"],
            "M1: Mass\nseen twice\non CT\nLung",
        ),
        // An empty line of the text stays, the null value does not.
        (
            vec![
                "OBX|1|TX|1^D||Mass||||||F",
                "OBX|2|TX|1^D||||||||F",
                "OBX|3|TX|1^D||\"\"||||||F",
                "OBX|4|TX|1^D||Lung",
            ],
            "M1: Mass\n\nLung",
        ),
        // A line end that is not escaped.
        (vec!["OBX|1|TX|1^D||Mass of", "the lung|mm|||||F\r\n\r\n"], "M1: Mass of\nthe lung mm"),
        (
            vec!["OBX|1|TX|1^D||Mass||||||F", "OBX|2|ED|2^PDF||^application^pdf^Base64^JVBERi0=||||||F"],
            "M1: Mass\n\n[An attached document was not read.]",
        ),
        (vec!["OBX|1|ED|1^D||^text^plain^Base64^TWFz\\X0A\\cw||||||F"], "M1: !attachment"),
        (vec!["OBX|1|ED|1^D||^TEXT^^Base64^TWFzcw||||||F"], "M1: Mass"),
        (vec![r"OBX|1|ED|1^D||^text^rtf^A^{\E\rtf1 Stage\E\par IV}||||||F"], "M1: Stage\nIV"),
    ] {
        assert_eq!(results(&segments), [expected], "{segments:?}");
    }
}

#[test]
fn a_result_that_does_not_hold_is_never_read() {
    for (segments, expected) in [
        (vec!["OBX|1|TX|1^D||Wrong patient||||||W"], "!withdrawn"),
        (vec!["OBX|1|TX|1^D||Wrong||||||D", "NTE|1||wrong too", "OBX|2|TX|1^D||Right||||||C"], "Right"),
        (vec!["OBX|1|ED|1^D||^application^pdf^Base64^JVBERi0=||||||F"], "!pdf"),
        (vec!["OBX|1|ED|1^D||^text^plain^Base64^a*||||||F"], "!attachment"),
        (vec!["OBX|1|RP|1^D||/path||||||F"], "!attachment"),
        // A separator in the text moves the status.
        (vec!["OBX|1|TX|1^D||a|b|c||||||W"], "!hl7"),
        (vec!["OBX|1|TX|1^D||a|b||||||W"], "!hl7"),
        (vec!["OBX|1|TX|1^D||Mass", "ALK|positive||||||F"], "!hl7"),
        (vec![r"OBX|1|TX|1^D||a\C2842\b||||||F"], "!charset"),
        (vec!["OBX|1|TX|1^D||a||||||F", "ADD|more"], "!incomplete"),
        (vec!["OBX|1|TX|1^D||a||||||F", "DSC|next"], "!incomplete"),
        (vec!["TXA|1|CN||20240105|||||||||||||||CA", "OBX|1|TX|1^D||a||||||F"], "!withdrawn"),
        (vec!["ZZZ|local"], "!required"),
    ] {
        assert_eq!(results(&segments), [format!("M1: {expected}")], "{segments:?}");
    }
    let canceled = format!("{HEAD}OBR|1{}X\rOBX|1|TX|1||a||||||F\r", "|".repeat(24));
    assert_eq!(shown(notes(&canceled)), ["M1: !withdrawn"]);
    let document = HEAD.replace("ORU^R01", "MDM^T11") + "TXA|1\rOBX|1|TX|1||a||||||F\r";
    assert_eq!(shown(notes(&document)), ["M1: !withdrawn"]);
    let part = HEAD.replace("2.5.1", "2.5.1||more") + "OBX|1|TX|1||a||||||F\r";
    assert_eq!(shown(notes(&part)), ["M1: !incomplete"]);
}

#[test]
fn each_order_of_each_message_is_a_note() {
    let obx = |text: &str| format!("OBX|1|TX|1^D||{text}||||||F");
    let next = HEAD.replace("M1", "M2");
    let (next, head) = (next.trim_end(), HEAD.trim_end());
    for (lines, expected) in [
        (vec![head, "OBR|1", &obx("a"), "OBR|2", &obx("b")], vec!["M1: a", "M1/2: b"]),
        (vec![head, "ORC|1", "OBR|1", &obx("a"), "ORC|1", "OBR|2", &obx("b")], vec!["M1: a", "M1/2: b"]),
        // The order of a panel has no results of its own.
        (vec![head, "OBR|1", "OBR|2", &obx("b")], vec!["M1/2: b"]),
        (vec![head, &obx("a"), "OBR|1", &obx("b")], vec!["M1: a", "M1/2: b"]),
        (vec![head, "PID|1||A", &obx("a"), "PID|2||B", &obx("b")], vec!["M1: a", "M1/2: b"]),
        (vec![head, &obx("a"), next, &obx("b")], vec!["M1: a", "M2: b"]),
        (vec!["FHS|^~\\&", "BHS|^~\\&", head, &obx("a"), "BTS|1", "FTS|1"], vec!["M1: a"]),
        (
            vec![&format!("\u{b}{head}"), &obx("a"), &format!("\u{1c}\r\u{b}{next}"), &obx("b"), "\u{1c}"],
            vec!["M1: a", "M2: b"],
        ),
        (vec![&format!("\u{feff}{head}"), &obx("a")], vec!["M1: a"]),
        // The line end between two messages is missing.
        (vec![head, &format!("{}{next}", obx("a")), &obx("b")], vec!["M1: a", "M2: b"]),
        (vec![head, &format!("{}\u{1c}\u{b}{next}", obx("a")), &obx("b")], vec!["M1: a", "M2: b"]),
        (vec![head, &obx("a\u{1c}"), &obx("nobody's"), next, &obx("b")], vec!["M1: a", "message-1: !hl7", "M2: b"]),
        // The text names the gene MSH2.
        (vec![head, "OBX|1|TX|1^D||Loss of", "MSH-2 and MSH|6"], vec!["M1: Loss of\nMSH-2 and MSH 6"]),
        (vec!["MSH|", &obx("a"), next, &obx("b")], vec!["message-1: !hl7", "M2: b"]),
        (vec![head, &obx("a"), "MSH|x", &obx("b")], vec!["M1: a", "message-2: !hl7"]),
        (vec![&HEAD.replace("ORU", "ACK"), next, &obx("b")], vec!["M2: b"]),
        (vec![&HEAD.replace("ORU", "ACK")], vec!["M1: !required"]),
        (vec!["id,text", "1,a"], vec!["message-1: !hl7"]),
        (vec![""], vec!["message-1: !required"]),
    ] {
        for end in ["\r", "\n", "\r\n"] {
            assert_eq!(shown(notes(&lines.join(end))), expected, "{lines:?} {end:?}");
        }
    }
}

#[test]
fn the_marks_of_the_message_count() {
    let text = "MSH#*%!$#LAB########M1\rOBX#1#TX#1*D##a!F!b!S!c!R!d%e\\.br\\|\r";
    assert_eq!(shown(notes(&text.replace("LAB########", "LAB#######"))), ["M1: a#b*c%d\ne\\.br\\|"]);
}

#[test]
fn the_character_set_is_the_named_one() {
    let message = |name: &str, text: &[u8]| {
        let head = format!("{}||||||{name}\rPID|1\rOBX|1|TX|1||", HEAD.trim_end());
        [head.as_bytes(), text, b"||||||F\r"].concat()
    };
    for (name, bytes, expected) in [
        ("", "Ödem".as_bytes(), "Ödem"),
        ("ASCII", b"edema", "edema"),
        ("UNICODE UTF-8", "Ödem".as_bytes(), "Ödem"),
        ("8859/1", b"\xd6dem", "Ödem"),
        ("8859/1~ISO IR87", b"\xd6dem \\XD6\\", "Ödem Ö"),
        ("8859/2", b"\xb3", "ł"),
        ("WINDOWS-1252", b"\x96", "–"),
        // The second byte of this character is the field separator.
        ("BIG-5", b"\xa6\x7c", "帆"),
        ("", b"\xd6dem", "!charset"),
        ("UNICODE UTF-8", b"\xd6dem", "!charset"),
        ("UNICODE UTF-16", b"edema", "!charset"),
        ("ISO IR87", b"edema", "!charset"),
        ("nonsense", b"edema", "!charset"),
        ("utf-16le", b"edema", "!charset"),
    ] {
        assert_eq!(shown(notes_with(&message(name, bytes), &form())), [format!("M1: {expected}")], "{name}");
    }
    let decoded = InputFormat { encoding: Some(encoding_rs::WINDOWS_1252), ..form() };
    assert_eq!(shown(notes_with(&message("8859/1", "Ödem".as_bytes()), &decoded)), ["M1: Ödem"]);
}

#[test]
fn id_patient_and_day_come_from_named_fields() {
    let message = "MSH|^~\\&|LAB||||202406071200||ORU^R01|M1\rPID|1|9|1^^^SS^SS~4711^^^HOSP^MR||Doe\r\
                   OBR|1||P24-1^LAB|1|||20240105120000\rOBX|1|TX|1||a\rOBR|2||P24-2^LAB|1|||2024\rOBX|1|TX|1||b\r";
    let some = |name: &str| Some(name.to_owned());
    for (id, patient, date, expected) in [
        (None, None, None, ["M1 - -", "M1/2 - -"]),
        (some("OBR-3"), some("patient"), None, ["P24-1 4711 -", "P24-2 4711 -"]),
        (some("obr-3.2"), some("PID-3"), some("MSH-7"), ["LAB 1 2024-06-07", "LAB 1 2024-06-07"]),
        (some("MSH-10"), some("PID-2"), some("date"), ["M1 9 2024-01-05", "M1/2 9 !note_date"]),
        (some("PID-3"), some("PID-18"), None, ["1 !patient -", "1/2 !patient -"]),
        (some("ZZZ-3"), None, None, ["!id - -", "!id - -"]),
    ] {
        let form = InputFormat { ids: id.into_iter().collect(), patient, date, ..form() };
        let part = |part: Result<Option<String>, Fault>, name: &str| match part {
            Ok(part) => part.unwrap_or_else(|| "-".to_owned()),
            Err(_) => format!("!{name}"),
        };
        let found = notes_with(message.as_bytes(), &form).into_iter().map(|note| {
            let date = note.note_date.map(|date| date.map(|date| date.to_string()));
            format!("{} {} {}", part(note.id, "id"), part(note.patient, "patient"), part(date, "note_date"))
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{form:?}");
    }
    let two = InputFormat {
        ids: vec!["MSH-10".to_owned(), "OBR-3".to_owned()],
        keep: vec!["PID-5".to_owned(), "OBR-9".to_owned()],
        ..form()
    };
    let found: Vec<_> = notes_with(message.as_bytes(), &two)
        .into_iter()
        .map(|note| (note.id.unwrap().unwrap(), note.carried))
        .collect();
    let carried = || vec!["Doe".to_owned(), String::new()];
    assert_eq!(found, [("M1/P24-1".to_owned(), carried()), ("M1/P24-2".to_owned(), carried())]);
    for name in ["text", "PID", "PID-0", "PID-x", "pid-3.0", "P-3", "PIDX-3", "ÄID-3"] {
        let form = InputFormat { patient: some(name), ..form() };
        let found = notes_with(message.as_bytes(), &form);
        assert_eq!(shown(found), ["message-1: !column"], "{name}");
    }
}

#[test]
fn numbers_of_two_authorities_are_not_one_patient() {
    let message = |authority: &str| format!("{HEAD}PID|1||4711^^^{authority}^MR\rOBX|1|TX|1||a\r");
    let form = InputFormat { patient: Some("patient".to_owned()), ..form() };
    let input = message("HOSP") + &message("OTHER") + &message("HOSP");
    let found = notes_with(input.as_bytes(), &form).into_iter().map(|note| note.patient.ok().flatten());
    assert_eq!(found.collect::<Vec<_>>(), [Some("4711".to_owned()), None, Some("4711".to_owned())]);
}

#[test]
fn what_is_too_long_is_bounded_and_the_rest_is_read() {
    let next = HEAD.replace("M1", "M2") + "OBX|1|TX|1||b\r";
    let long = "x".repeat(LONGEST_SEGMENT);
    for (segments, expected) in [
        (format!("OBX|1|TX|1||{}\r", "x".repeat(10_001)), "M1: !max_length"),
        (format!("OBX|1|TX|1||{}\r", "x".repeat(100)).repeat(200), "M1: !max_length"),
        (format!("OBX|1|TX|1||{long}\rOBR|2\rOBX|1|TX|1||not read\r"), "M1: !max_length"),
        (format!("OBX|1|TX|1||x\n{long}\r"), "M1: !max_length"),
        (format!("OBX|1|TX|1||x\n{}\r", "y\n".repeat(LONGEST_SEGMENT / 2)), "M1: !max_length"),
    ] {
        let input = format!("{HEAD}OBR|1\r{segments}{next}");
        let found = notes_with_large_buffer(&input);
        assert_eq!(shown(found), [expected, "M2: b"], "{}", segments.len());
    }
    let mut count = 0;
    let endless = std::io::repeat(b'x').take(20 << 20);
    read(BufReader::new(endless), "", &form(), &mut |note| {
        count += 1;
        note.text.is_ok()
    });
    assert_eq!(count, 1);
}

fn notes_with_large_buffer(input: &str) -> Vec<InputNote> {
    let mut notes = Vec::new();
    read(input.as_bytes(), "", &form(), &mut |note| {
        notes.push(note);
        true
    });
    notes
}

#[test]
fn reading_ends_when_no_more_notes_are_wanted() {
    let input = format!("{HEAD}OBX|1|TX|1||a\r").repeat(3);
    let mut count = 0;
    let wanted = read(input.as_bytes(), "", &form(), &mut |_| {
        count += 1;
        count < 2
    });
    assert!(!wanted);
    assert_eq!(count, 2);
}

#[test]
fn a_read_error_ends_the_input() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk"))
        }
    }
    let input = BufReader::new(format!("{HEAD}OBX|1|TX|1||a\r").leak().as_bytes().chain(Broken));
    let mut notes = Vec::new();
    read(input, "", &form(), &mut |note| {
        notes.push(note);
        true
    });
    assert_eq!(shown(notes), ["M1: !readable"]);
}

/// Pieces of messages that come in any order.
fn piece() -> impl Strategy<Value = String> {
    let fixed = [
        "OBR|1\r",
        "PID|1||7^^^A^MR~8\r",
        "ORC|1\n",
        "OBX|1|TX|1^D||",
        "OBX|2|CWE|2^E||^text",
        "NTE|1||",
        "|F\r",
        "\r\n",
        "\u{b}",
        "\u{1c}\r",
        "\\.br\\",
        "\\X4",
        "\\",
        "~",
        "^",
        "&",
        "||||||",
        "FHS|\r",
        "MSH",
        "ADD|x\r",
        "TXA|1\r",
        "OBX|1|ED|1||^text^plain^Base64^TWFz\r",
        "W\r",
        "é",
    ];
    prop_oneof![4 => prop::sample::select(fixed.to_vec()).prop_map(str::to_owned), 1 => "[ -~\\r\\n]{0,9}"]
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let found = notes_with(&bytes, &form());
        prop_assert!(!found.is_empty());
        let after_head = [HEAD.as_bytes(), &bytes].concat();
        prop_assert!(!notes_with(&after_head, &form()).is_empty());
    }

    #[test]
    fn no_note_has_text_of_two_messages(messages in prop::collection::vec(prop::collection::vec(piece(), 0..12), 1..5)) {
        let message = |(number, pieces): (usize, &Vec<String>)| {
            let head = HEAD.replace("M1", &format!("M{number}"));
            format!("{head}OBX|1|TX|1^D||text-of-{number};{}", pieces.concat())
        };
        let input = messages.iter().enumerate().map(message).collect::<Vec<_>>().concat();
        for note in notes_with(input.as_bytes(), &form()) {
            let Ok(text) = note.text else { continue };
            let of: Vec<_> = (0..messages.len()).filter(|number| text.contains(&format!("text-of-{number};"))).collect();
            prop_assert!(of.len() <= 1, "{text}");
            if let (Some(number), Ok(Some(id))) = (of.first(), note.id) {
                prop_assert_eq!(id.split('/').next().map(str::to_owned), Some(format!("M{number}")));
            }
        }
    }
}
