//! Tests of the operator's files: which lines are refused, and which values get a code.

use proptest::prelude::*;

use super::{Code, CodeBasis, CodeFile, CodeFileError, CodeSystem, CodeTable, CodeTableBuilder};

const HEADER: &str = "system,code,display,match\n";

/// Makes a table of files, which are named `1.csv`, `2.csv` and so on.
fn table(files: &[&[u8]]) -> Result<CodeTable, CodeFileError> {
    let mut builder = CodeTableBuilder::default();
    for (number, content) in (1..).zip(files) {
        let name = format!("{number}.csv");
        // Equal contents have equal sums.
        let file = CodeFile { name: name.clone(), sha256: format!("{content:?}") };
        builder.add(name, file, content)?;
    }
    builder.build()
}

fn of_rows(rows: &str) -> CodeTable {
    table(&[format!("{HEADER}{rows}").as_bytes()]).unwrap()
}

/// Returns the codes of a value as "system code basis", without the basis where it is exact.
fn written(table: &CodeTable, value: &str) -> String {
    let codes = table.codes(value).into_iter().map(|Code { system, code, basis, .. }| {
        let CodeSystem::Operator(system) = system else { panic!("{system:?}") };
        let basis = match basis {
            CodeBasis::Exact => "",
            CodeBasis::Synonym => " synonym",
            CodeBasis::Broader => " broader",
        };
        format!("{system} {code}{basis}")
    });
    codes.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_bad_line_is_refused_with_its_number() {
    let long = |bytes: usize| "x".repeat(bytes);
    let row = "CLINIC,1,One,one\n";
    for (content, line, fault) in [
        ("", 1, "first line must be `system,code,display,match`"),
        ("CLINIC,1,One,one\n", 1, "first line"),
        ("system,code,display\n", 1, "first line"),
        ("system,code,match,display\n", 1, "first line"),
        ("system,code,display,match,field\n", 1, "first line"),
        ("System,Code,Display,Match\n", 1, "first line"),
        (&format!("\n{HEADER}{row}"), 1, "first line"),
        (&format!("{HEADER}CLINIC,1,One\n"), 2, "four cells"),
        (&format!("{HEADER}{row}CLINIC,1,Carcinoma, small cell,sclc\n"), 3, "four cells"),
        (&format!("{HEADER}{}\n", ",".repeat(9_000)), 2, "four cells"),
        (&format!("{HEADER}{row}\r\n\nCLINIC;2;Two;two\n"), 5, "four cells"),
        (&format!("{HEADER}CLINIC,1,\"One,one\nCLINIC,2,Two,two\n"), 2, "double quote"),
        (&format!("{HEADER}CLINIC,1,\"One\"x,one\n"), 2, "double quote"),
        (&format!("{HEADER}CLINIC,1,One,\"one\"x\n"), 2, "double quote"),
        (&format!("{HEADER}CLINIC,1,O\"ne,one\n"), 2, "double quote"),
        (&format!("{HEADER}CLINIC,1,One,\"one"), 2, "double quote"),
        (&format!("{HEADER},1,One,one\n"), 2, "`system` is empty"),
        (&format!("{HEADER}CLINIC,,One,one\n"), 2, "`code` is empty"),
        (&format!("{HEADER}CLINIC,1,\"\",one\n"), 2, "`display` is empty"),
        (&format!("{HEADER}{row}CLINIC,1,One,  \n"), 3, "`match` is empty"),
        (&format!("{HEADER}CLINIC, 1,One,one\n"), 2, "`code` begins or ends with a blank"),
        (&format!("{HEADER}CLINIC,1,One,one\u{a0}\n"), 2, "`match` begins or ends"),
        (&format!("{HEADER}{},1,One,one\n", long(65)), 2, "`system` has more than 64 bytes"),
        (&format!("{HEADER}CLINIC,{},One,one\n", long(129)), 2, "`code` has more than 128 bytes"),
        (&format!("{HEADER}CLINIC,1,{},one\n", long(513)), 2, "`display` has more than 512 bytes"),
        (&format!("{HEADER}CLINIC,1,One,{}\n", long(513)), 2, "`match` has more than 512 bytes"),
        (&format!("{HEADER}CLINIC,1,One\tTwo,one\n"), 2, "`display` has a control character"),
        (&format!("{HEADER}CLINIC,1\r2,One,one\n"), 2, "`code` has a control character"),
        (&format!("{HEADER}CLINIC,1,One,o\u{200b}ne\n"), 2, "`match` has a control character or an invisible"),
        (&format!("{HEADER}CLINIC,1,\u{202e}One,one\n"), 2, "`display` has a control character or an invisible"),
        (&format!("{HEADER}MY CLINIC,1,One,one\n"), 2, "`system` may have only letters"),
        (&format!("{HEADER}CLIN\u{cf}C,1,One,one\n"), 2, "`system` may have only letters"),
        (&format!("{HEADER}{row}DrugBank,DB1,One,one\n"), 3, "its own codes"),
        (&format!("{HEADER}ucum,1,One,one\n"), 2, "its own codes"),
        (&format!("{HEADER}{row}Clinic,2,Two,two\n"), 3, "upper and lower case from line 2"),
        (&format!("{HEADER}CLINIC,1,One,-\n"), 2, "no letter and no digit"),
        (
            &format!("{HEADER}{row}PHARMACY,2,One,one\nCLINIC,2,Two,ONE\n"),
            4,
            "another code of the same system in line 2",
        ),
        (&format!("{HEADER}{row}{row}CLINIC,2,Two,one\nCLINIC,3,Three,one\n"), 4, "line 2"),
    ] {
        let error = table(&[content.as_bytes()]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("1.csv, line {line}: ")) && error.contains(fault), "{content:?}: {error}");
    }
    for content in [&b"system,code,display,match\nCLINIC,1,One,one\nCLINIC,2,Two,t\xff\n"[..], b"\xff\xfes\0y\0"] {
        let error = table(&[content]).unwrap_err().to_string();
        assert!(error.contains("not UTF-8 text"), "{error}");
        assert_eq!(error.contains("line 3"), content.starts_with(b"system"), "{error}");
    }
    // The refusal shows nothing of the file.
    let error = table(&[format!("{HEADER}CLINIC,1,\"CANARY\"x,CANARY\n").as_bytes()]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[test]
fn faults_of_several_files_name_both() {
    let [one, other] =
        ["CLINIC,1,One,one\n", "PHARMACY,A,A,a\nCLINIC,2,Two,one\n"].map(|rows| format!("{HEADER}{rows}"));
    let refused = |files: &[&[u8]]| table(files).unwrap_err().to_string();
    let ambiguous = refused(&[one.as_bytes(), other.as_bytes()]);
    assert_eq!(
        ambiguous,
        "2.csv, line 3: `match` has another code of the same system in 1.csv, line 2: keep one of the two rows"
    );
    let case = format!("{HEADER}Clinic,2,Two,two\n");
    assert!(refused(&[one.as_bytes(), case.as_bytes()]).contains("2.csv, line 2: "));
    assert!(refused(&[one.as_bytes(), case.as_bytes()]).contains("from 1.csv, line 2"));
    assert!(refused(&[one.as_bytes(), b"x", one.as_bytes()]).starts_with("2.csv, line 1"));
    assert_eq!(
        refused(&[one.as_bytes(), one.as_bytes()]),
        "2.csv: it has the same content as 1.csv: name each file once"
    );
    for content in [HEADER, "system,code,display,match", "system,code,display,match\r\n\r\n"] {
        assert!(refused(&[one.as_bytes(), content.as_bytes()]).starts_with("2.csv: it has no row"));
    }
}

#[test]
fn files_are_bounded() {
    let systems: Vec<String> = (0..33).map(|number| format!("S{number},1,One,one\n")).collect();
    let error = table(&[format!("{HEADER}{}", systems.concat()).as_bytes()]).unwrap_err().to_string();
    assert_eq!(error, "1.csv, line 34: there are more than 32 systems: keep those that notes can use");

    let refused = |files: &[&[u8]]| {
        let mut builder = CodeTableBuilder::with_limits(1_000, 10);
        let mut add = |(name, content): (&str, &&[u8])| {
            let file = CodeFile { name: name.to_owned(), sha256: name.to_owned() };
            builder.add(name.to_owned(), file, content)
        };
        ["1.csv", "2.csv"].into_iter().zip(files).map(&mut add).find_map(Result::err).map(|error| error.to_string())
    };
    let rows = |count: usize| format!("{HEADER}{}", "S,1,One,one\n".repeat(count)).into_bytes();
    assert_eq!(refused(&[&rows(9), &rows(1)]), None);
    let error = refused(&[&rows(9), &rows(2)]).unwrap();
    assert!(error.starts_with("2.csv, line 3: there are more than 10 rows"), "{error}");
    let filled = |bytes: usize| [&rows(1)[..], &vec![b'\n'; bytes - rows(1).len()]].concat();
    assert_eq!(refused(&[&filled(500), &filled(500)]), None);
    let error = refused(&[&filled(500), &filled(501)]).unwrap();
    assert!(error.starts_with("2.csv: it and the files before it have more than 64 MiB"), "{error}");
}

#[test]
fn a_whole_value_that_is_a_wording_gets_its_codes() {
    let table = of_rows(
        "CLINIC,LUNG-1,Lung cancer of glands,lung cancer of glands\n\
         CLINIC,LUNG-1,Lung cancer of glands,lung adenocarcinoma\n\
         CLINIC,LUNG-1,Lung cancer of glands,Lung Adenocarcinoma\n\
         http://example.org/codes,A/3,\"Adenocarcinoma, any\",\"adenocarcinoma, any\"\n\
         http://example.org/codes,A/3,\"Adenocarcinoma, any\",lung adenocarcinoma\n\
         PHARMACY,OSI-1,osimertinib,Osimertinib\n\
         PHARMACY,OLD-1,\"the \"\"old\"\" one\",\"\"\"old\"\" drug\"\n\
         CLINIC,ER-1,ER+,\"ER+\"\n\
         CLINIC,ER-2,ER-,ER-\n\
         CLINIC,ER-0,Estrogen receptor,ER\n\
         STAGES,T1,T1a-1,\"1-5\"\n\
         STAGES,T5,T five,5'\n\
         STAGES,T6,T six,\"2,5\"\n\
         REGISTRY,1,Hodgkin lymphoma,Hodgkin's lymphoma\n\
         REGISTRY,2,Oesophageal cancer,oesophageal cancer\n\
         REGISTRY,3,Non-small cell,non-small cell lung cancer\n",
    );
    for (value, expected) in [
        ("lung adenocarcinoma", "CLINIC LUNG-1 synonym, http://example.org/codes A/3 synonym"),
        ("LUNG  adenocarcinoma", "CLINIC LUNG-1 synonym, http://example.org/codes A/3 synonym"),
        ("Lung cancer of glands", "CLINIC LUNG-1"),
        ("adenocarcinoma any", "http://example.org/codes A/3"),
        ("osimertinib", "PHARMACY OSI-1"),
        ("\"old\" drug", "PHARMACY OLD-1 synonym"),
        ("hodgkin lymphoma", "REGISTRY 1"),
        ("esophageal cancer", "REGISTRY 2"),
        ("Non\u{2013}small-cell lung cancer", "REGISTRY 3 synonym"),
        ("Non\u{2212}small-cell lung cancer", "REGISTRY 3 synonym"),
        // A sign may change the meaning.
        ("ER+", "CLINIC ER-1"),
        ("ER-", "CLINIC ER-2"),
        ("er\u{2212}", "CLINIC ER-2"),
        ("ER", "CLINIC ER-0 synonym"),
        ("ER -", ""),
        ("1-5", "STAGES T1 synonym"),
        ("1,5", ""),
        ("1 5", ""),
        ("2,5", "STAGES T6 synonym"),
        ("2 5", ""),
        ("2-5", ""),
        ("5'", "STAGES T5 synonym"),
        ("5", ""),
        // Only whole values.
        ("lung adenocarcinomas", ""),
        ("metastatic lung adenocarcinoma", ""),
        ("lung", ""),
        ("osimertinib 80 mg", ""),
        ("osimertinibs", ""),
        ("osimertini", ""),
        ("osimertinib and", ""),
        ("", ""),
        (&format!("lung{}adenocarcinoma", " ".repeat(500)), ""),
    ] {
        assert_eq!(written(&table, value), expected, "{value}");
    }
    let [code] = table.codes("\"OLD\" drug").try_into().unwrap();
    assert_eq!(code.display, "the \"old\" one");
}

#[test]
fn byte_order_mark_line_ends_and_quoted_names_of_columns_are_accepted() {
    for content in [
        "\u{feff}system,code,display,match\r\nS,1,One,one\r\n",
        "\"system\",\"code\",\"display\",\"match\"\n\"S\",\"1\",\"One\",\"one\"",
        "system,code,display,match\n\n\nS,1,One,one\n\n",
    ] {
        assert_eq!(written(&table(&[content.as_bytes()]).unwrap(), "ONE"), "S 1", "{content:?}");
    }
}

#[test]
fn a_table_shows_no_rows_when_it_is_printed() {
    let printed = format!("{:?}", of_rows("CLINIC,CANARY1,CANARY2,CANARY3\n"));
    assert!(printed.contains("entries: 1,") && !printed.contains("CANARY"), "{printed}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_table_or_an_error(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        lines in "(S|Ab|hgnc),[a-c\"]{0,2},[a-c\"' é-]{0,4},[a-c\",'\u{130}\u{feff} -]{0,6}\r?\n?",
    ) {
        let rows = [HEADER.as_bytes(), &bytes].concat();
        for content in [&bytes[..], &rows, format!("{HEADER}{lines}{lines}").as_bytes()] {
            if let Ok(table) = table(&[content]) {
                table.codes(&String::from_utf8_lossy(content));
            }
        }
    }

    #[test]
    fn rows_as_another_program_writes_them_are_found(
        rows in proptest::collection::vec(("[A-C]{1,2}", "[a-z0-9]{1,4}", "[a-z]( ?[a-z,\"éÄ'-]){0,8}", "[a-z]( ?[a-z0-9,\"éÄ'+-]){0,8}"), 1..20),
        crlf in any::<bool>(),
    ) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        writer.write_record(["system", "code", "display", "match"]).unwrap();
        for (system, code, display, wording) in &rows {
            writer.write_record([system, code, display, wording]).unwrap();
        }
        let content = writer.into_inner().unwrap();
        match table(&[&content]) {
            Ok(table) => for (system, code, _, wording) in &rows {
                let codes = table.codes(&wording.to_uppercase().to_lowercase());
                let expected = CodeSystem::Operator(system.as_str().into());
                prop_assert!(codes.iter().any(|found| found.system == expected && found.code == *code), "{wording}");
            },
            Err(CodeFileError::Line { fault: super::CodeRowFault::Ambiguous(_), .. }) => {}
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
