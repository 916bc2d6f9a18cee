//! Cases of the parser: texts that a model may write, and the expected result. `properties` has the property tests,
//! `hostile` texts made to cost time or stack.

mod hostile;
mod properties;

use super::{Field, ParsedRecord, Unusable, parse};

/// A whole record in the training format, for cases about the text around it.
const RECORD: &str = r#"{"cancer_type": null, "stage": "IV", "gene_mutation": null, "biomarker": null, "treatment": null, "response": null, "metastasis_site": null}"#;
/// The other six keys for cases about the stage; written `@` in a case.
const OTHERS: &str = r#""cancer_type": null, "gene_mutation": null, "biomarker": null, "treatment": null, "response": null, "metastasis_site": null"#;
/// The other six keys as lines; written `%` in a case.
const OTHER_LINES: &str =
    "cancer_type: null\ngene_mutation: null\nbiomarker: null\ntreatment: null\nresponse: null\nmetastasis_site: null";
/// The repairs that every `%` causes.
const LINE_NULLS: &str = "cancer_type.null_word gene_mutation.null_word biomarker.null_word treatment.null_word \
                          response.null_word metastasis_site.null_word";

/// Returns `field=value` for each field with a value, then `|`, then the repairs as `code` or `field.code`.
fn shown(outcome: &Result<ParsedRecord, Unusable>) -> String {
    match outcome {
        Err(unusable) => format!("{unusable:?}"),
        Ok(ParsedRecord { record, repairs }) => {
            let mut shown = Vec::new();
            for field in Field::ALL {
                shown.extend(record.get(field).map(|value| format!("{}={value}", field.name())));
            }
            shown.push("|".to_owned());
            for repair in repairs {
                let code = serde_json::to_value(repair.code).unwrap();
                let field = repair.field.map_or(String::new(), |field| format!("{}.", field.name()));
                shown.push(format!("{field}{}", code.as_str().unwrap()));
            }
            shown.join(" ")
        }
    }
}

#[track_caller]
fn check(input: &str, expected: &str) {
    let input = input.replace("RECORD", RECORD).replace('@', OTHERS).replace('%', OTHER_LINES);
    let expected = expected.replace('%', LINE_NULLS);
    assert_eq!(shown(&parse(&input)), expected, "{input}");
}

#[track_caller]
fn check_all(cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        check(input, expected);
    }
}

#[test]
fn strict_objects_need_no_repair() {
    check_all(&[
        ("RECORD", "stage=IV |"),
        (" \r\n RECORD \r\n", "stage=IV |"),
        ("\u{feff}RECORD", "stage=IV |"),
        ("{@, \"stage\": null}", "|"),
        ("{\r\n\t\"stage\" : \"IV\" ,\r\n@\r\n}", "stage=IV |"),
        (r#"{"stage": "  IVA ", @}"#, "stage=IVA |"),
        (r#"{"stage": "{IV} } {", @}"#, "stage={IV} } { |"),
        (r#"{"stage": "<think>IV", @}"#, "stage=<think>IV |"),
        (r#"{"stage": "a \"b\" \\ \/ \u00e9\ud83d\ude00", @}"#, "stage=a \"b\" \\ / é😀 |"),
        (r#"{"stage": "β2 – “IV”", @}"#, "stage=β2 – “IV” |"),
        (r#"{"stage": "IV```", @}"#, "stage=IV``` |"),
    ]);
}

#[test]
fn words_without_information_are_null() {
    let nothing = "| stage.null_word";
    check_all(&[
        (r#"{"stage": "", @}"#, nothing),
        (r#"{"stage": " \n\t", @}"#, nothing),
        (r#"{"stage": "null", @}"#, nothing),
        (r#"{"stage": "N/A", @}"#, nothing),
        (r#"{"stage": " None. ", @}"#, nothing),
        (r#"{"stage": "Not Specified.", @}"#, nothing),
        (r#"{"stage": "unknown", @}"#, nothing),
        (r#"{"stage": "-", @}"#, nothing),
        (r#"{"stage": "—", @}"#, nothing),
        (r#"{"stage": 'NULL', @}"#, "| quote_marks stage.null_word"),
    ]);
    for word in [
        "negative",
        "no",
        "no evidence of disease",
        "not tested",
        "pending",
        "none detected",
        "unknown primary",
        "...",
        ".",
        "…",
        "0",
        "null; IV",
    ] {
        check(&format!(r#"{{"stage": "{word}", @}}"#), &format!("stage={word} |"));
    }
}

#[test]
fn text_around_the_record_is_left_out() {
    check_all(&[
        ("```json\nRECORD\n```", "stage=IV | code_fence"),
        ("```\r\nRECORD\r\n```\r\n", "stage=IV | code_fence"),
        ("~~~json\nRECORD\n~~~", "stage=IV | code_fence"),
        ("```json RECORD```", "stage=IV | code_fence"),
        ("`RECORD`", "stage=IV | code_fence"),
        ("```json\nRECORD", "stage=IV | code_fence"),
        ("Here it is:\n```json\nRECORD\n```\nLet me know!", "stage=IV | text_before code_fence text_after"),
        ("Here it is: ```RECORD```", "stage=IV | code_fence text_before"),
        ("Here it is: RECORD", "stage=IV | text_before"),
        ("RECORD<|eot_id|>", "stage=IV | text_after"),
        ("RECORD\n\nNote: stage {IV} was inferred.", "stage=IV | text_after"),
        ("The {JSON} you want, { or \"{\":\nRECORD", "stage=IV | text_before"),
        ("{{RECORD}}", "stage=IV | text_before text_after"),
        ("[RECORD]", "stage=IV | text_before text_after"),
        ("{\"type\": \"object\", \"n\": [1, {\"}\": true}]}\nRECORD", "stage=IV | text_before"),
        ("body {color: red} RECORD", "stage=IV | text_before"),
        ("RECORD\nRECORD", "stage=IV | repeated_record"),
        ("RECORD\n\nAgain:\nRECORD", "stage=IV | text_after repeated_record"),
        ("stage: IV\n%\n\nRECORD", "stage=IV | text_before repeated_record"),
        ("stage: I\n\nRECORD", "stage=IV | text_before"),
        ("RECORD {@, 'stage': 'IV',}", "stage=IV | repeated_record quote_marks trailing_comma"),
    ]);
}

#[test]
fn thoughts_are_left_out() {
    check_all(&[
        ("<think>\n{\"stage\": \"I\n</think>\nRECORD", "stage=IV | thinking"),
        ("<think></think>RECORD", "stage=IV | thinking"),
        ("<THINK>x</Think>\n```json\nRECORD\n```", "stage=IV | thinking code_fence"),
        ("<think>RECORD</think>{@, \"stage\": \"I\"}", "stage=I | thinking"),
        ("So { is \"it </think> RECORD", "stage=IV | thinking"),
        ("<think>a</think><think><think>b</think>RECORD", "stage=IV | thinking"),
        ("RECORD<think>b</think>", "stage=IV | thinking"),
        ("<think>RECORD", "UnclosedThinking"),
        ("RECORD<think>", "UnclosedThinking"),
        ("<think>a</think><think>RECORD", "UnclosedThinking"),
        ("<think>RECORD</think>", "NoRecord"),
        ("{\"stage\": <think>or</think> null, @}", "CutOff"),
        ("a < b <thin RECORD", "stage=IV | text_before"),
    ]);
}

#[test]
fn keys() {
    check_all(&[
        (r#"{"Stage": "IV", @}"#, "stage=IV | stage.key_spelling"),
        (r#"{" STAGE ": "IV", @}"#, "stage=IV | stage.key_spelling"),
        (
            r#"{"Cancer Type": "a", "stage": "b", "gene-mutation": "c", "Biomarker": "d", "treatment": "e", "response": "f", "metastasisSite": "g"}"#,
            "cancer_type=a stage=b gene_mutation=c biomarker=d treatment=e response=f metastasis_site=g | \
             cancer_type.key_spelling gene_mutation.key_spelling biomarker.key_spelling metastasis_site.key_spelling",
        ),
        (r#"{"\u0073tage": "IV", @}"#, "stage=IV |"),
        (r#"{stage: "IV", @}"#, "stage=IV | unquoted_key"),
        (r#"{"id": 7, "stage": "IV", @}"#, "stage=IV | unknown_key"),
        (
            r#"{"notes": [{"stage": "}", "x": ["]", null]}, -1e9], "stage": "IV", @, "ok": true}"#,
            "stage=IV | unknown_key",
        ),
        (r#"{"stage": "IV", @, id: 'it's, {so}'}"#, "stage=IV | unquoted_key unknown_key"),
        (r#"{"stage": "IV", "stage": "IV", @}"#, "stage=IV | stage.repeated_key"),
        (r#"{"stage": "IV", "Stage": " IV ", @}"#, "stage=IV | stage.key_spelling stage.repeated_key"),
        (r#"{"stage": "IV", "stage": "III", @}"#, "ConflictingKey"),
        (r#"{"stage": "IV", "stage": null, @}"#, "ConflictingKey"),
        (r#"{"stage": null, "STAGE": "IV", @}"#, "ConflictingKey"),
        (r#"{"stages": "IV", @}"#, "stage=IV | stage.key_synonym"),
        (
            r#"{"stage": "IV", @, "Stages": ["IV"]}"#,
            "stage=IV | stage.list_joined stage.key_synonym stage.repeated_key",
        ),
        (r#"{"cancerStage": null, "stage": "IV", @}"#, "stage=IV | stage.key_synonym"),
        (r#"{"clinical_stage_value": null, @}"#, "| stage.key_synonym"),
        (r#"{"stage": null, @, "stages": ["IV"]}"#, "ConflictingKey"),
        (r#"{"stages": ["IV"], "stage": null, @}"#, "ConflictingKey"),
        (r#"{"stage": "IV", @, "stages": "III"}"#, "ConflictingKey"),
        (r#"{"stage": "IV", @, "stages": {"T": 4}}"#, "WrongType"),
        (r#"{"stage": "IV", @, "diagnosis": "lung cancer"}"#, "ConflictingKey"),
        (r#"{"stage": "IV", @, "diagnosis_date": "2020"}"#, "stage=IV | unknown_key"),
        ("{@}", "MissingKey"),
        (r#"{"stage": "IV"}"#, "MissingKey"),
        (r#"{"stage": "IV"} RECORD"#, "MissingKey"),
        (r#"RECORD {"stage": "IV"}"#, "MissingKey"),
        ("{}", "NoRecord"),
        ("{\"record\": RECORD}", "NoRecord"),
        ("\"RECORD\"", "stage=IV | text_before text_after"),
        (r#""{\"stage\": \"IV\"}""#, "NoRecord"),
    ]);
}

#[test]
fn strings() {
    check_all(&[
        ("{'stage': 'IV', @}", "stage=IV | quote_marks"),
        ("{'stage': '', @}", "| quote_marks stage.null_word"),
        ("{'stage': 'Hodgkin's lymphoma', @}", "stage=Hodgkin's lymphoma | quote_marks"),
        ("{@, 'stage': 'Hodgkin's'}", "stage=Hodgkin's | quote_marks"),
        (
            "{@, 'stage': 'Hodgkin's, the patients' own, \"IV\"'}",
            "stage=Hodgkin's, the patients' own, \"IV\" | quote_marks",
        ),
        ("{'stage': \"Hodgkin's\", @}", "stage=Hodgkin's | quote_marks"),
        (r"{'stage': 'Hodgkin\'s', @}", "stage=Hodgkin's | quote_marks stage.invalid_escape"),
        ("{‘stage’: ‘Hodgkin’s’, @}", "stage=Hodgkin’s | quote_marks"),
        ("{“stage”: “the “IV” one”, @}", "stage=the “IV” one | quote_marks"),
        ("{„stage“: „IV“, @}", "stage=IV | quote_marks"),
        ("{stage: 'IV', @}", "stage=IV | unquoted_key quote_marks"),
        ("{@, response: 'x', stage: 'IV'}", "ConflictingKey"),
        ("{@, stage: 'IV', id: 'x'}", "stage=IV | unquoted_key quote_marks unknown_key"),
        ("{\"stage\": \"IV\n\tA\", @}", "stage=IV\n\tA | stage.raw_control"),
        ("{\"stage\": \"IV\r\n\", @}", "stage=IV | stage.raw_control"),
        (r#"{"stage": "IV\n; A", @}"#, "stage=IV\n; A |"),
        (r#"{"stage": "IV \ud83d", @}"#, "stage=IV \u{fffd} | stage.invalid_escape"),
        (r#"{"stage": "\ude00 \ud83d\u0041", @}"#, "stage=\u{fffd} \u{fffd}A | stage.invalid_escape"),
        (r#"{"stage": "\ud83d\ude00\ud83d\ud83d\ude00", @}"#, "stage=😀\u{fffd}😀 | stage.invalid_escape"),
        (r#"{"sta\ge": "IV", @}"#, "NoRecord"),
        (r#"{@, "sta\ge": "IV"}"#, "Malformed"),
        (r#"{"st age": "IV", @}"#, "MissingKey"),
        (
            r#"{"cancer\_type": null, "stage": "TP53 R213\*", @}"#,
            "stage=TP53 R213* | invalid_escape stage.invalid_escape cancer_type.repeated_key",
        ),
        (r#"{"stage": "\x49V", @}"#, "Malformed"),
        (r#"{"stage": "\u00g0", @}"#, "Malformed"),
        (r#"{"stage": "the "IV" one", @}"#, "Malformed"),
        ("{\"stage\": \"IV,\n\"response\": \"x\", @}", "Malformed"),
    ]);
}

#[test]
fn values_that_are_not_strings() {
    check_all(&[
        (r#"{"stage": 4, @}"#, "stage=4 | stage.number_as_text"),
        (r#"{"stage": -4, @}"#, "WrongType"),
        (r#"{"stage": 4.5, @}"#, "WrongType"),
        (r#"{"stage": 1e3, @}"#, "WrongType"),
        (r#"{"stage": IV, @}"#, "Malformed"),
        (r#"{"stage": 4B, @}"#, "Malformed"),
        (r#"{"biomarker": 4, "stage": null}"#, "WrongType"),
        (r#"{"stage": true, @}"#, "WrongType"),
        (r#"{"stage": False, @}"#, "WrongType"),
        (r#"{"stage": {"value": "IV"}, @}"#, "WrongType"),
        (r#"{"stage": {}, @}"#, "WrongType"),
        (r#"{"stage": None, @}"#, "| stage.null_spelling"),
        (r#"{"stage": NULL, @}"#, "| stage.null_spelling"),
        (r#"{@, "stage": undefined}"#, "| stage.null_spelling"),
        (r#"{"stage": "; ;", @}"#, "| stage.null_word"),
        (r#"{"stage": ["ER+", " HER2 3+ "], @}"#, "stage=ER+; HER2 3+ | stage.list_joined"),
        (
            r#"{"stage": ["a", null, "", "N/A", 'b', None,], @}"#,
            "stage=a; b | stage.list_joined quote_marks stage.null_spelling trailing_comma",
        ),
        (r#"{@, "stage": ['Hodgkin's', 'x, y']}"#, "stage=Hodgkin's; x, y | stage.list_joined quote_marks"),
        (r#"{"stage": ["a]}"], @}"#, "stage=a]} | stage.list_joined"),
        (r#"{"stage": [], @}"#, "| stage.list_joined"),
        (r#"{"stage": [null, ""], @}"#, "| stage.list_joined"),
        (r#"{"stage": ["a", ["b"]], @}"#, "WrongType"),
        (r#"{"stage": [{"a": "b"}], @}"#, "WrongType"),
        (r#"{"stage": ["a", 4], @}"#, "WrongType"),
        (r#"{"stage": [true], @}"#, "WrongType"),
        (r#"{"stage": ["a" "b"], @}"#, "Malformed"),
        (r#"{"stage": [,], @}"#, "Malformed"),
        (r#"{"stage": ["a"}, @}"#, "Malformed"),
        (r#"{"stage": , @}"#, "Malformed"),
    ]);
}

#[test]
fn commas_and_colons() {
    check_all(&[
        (r#"{@, "stage": "IV",}"#, "stage=IV | trailing_comma"),
        ("{@, \"stage\": \"IV\" ,\n }", "stage=IV | trailing_comma"),
        (r#"{@, "stage": "IV",,}"#, "Malformed"),
        (r#"{@ "stage": "IV"}"#, "Malformed"),
        (r#"{@, "stage" "IV"}"#, "Malformed"),
        (r#"{@, "stage": "IV"]"#, "Malformed"),
        (r#"{@, "x": (), "stage": "IV"}"#, "stage=IV | unknown_key"),
        (r#"{@, "x": ], "stage": "IV"}"#, "Malformed"),
        (r#"{@, "x": [}, "stage": "IV"}"#, "Malformed"),
        ("{, @, \"stage\": null}", "NoRecord"),
    ]);
    let deep = |depth: usize| format!("{{@, \"stage\": \"IV\", \"x\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    check(&deep(64), "stage=IV | unknown_key");
    check(&deep(65), "Malformed");
}

#[test]
fn lines() {
    check_all(&[
        ("stage: IV\n%", "stage=IV | key_value_lines %"),
        ("Stage: IV\r\n%\r\n", "stage=IV | key_value_lines stage.key_spelling %"),
        ("%\n\n- **Stage:** IV", "stage=IV | key_value_lines % stage.key_spelling"),
        ("* **stage**: **IV**\n%", "stage=IV | key_value_lines %"),
        ("  1. `stage`: `IV`\n%", "stage=IV | key_value_lines %"),
        ("• __stage__: R213*\n%", "stage=R213* | key_value_lines %"),
        ("### *stage*: IV\n%", "stage=IV | key_value_lines %"),
        ("stage: 4\n%", "stage=4 | key_value_lines %"),
        ("stage: \"IV: A\"\n%", "stage=IV: A | key_value_lines %"),
        ("stage: 'Hodgkin's'\n%", "stage=Hodgkin's | key_value_lines %"),
        ("stage: \"\"\n%", "| key_value_lines stage.null_word %"),
        ("stage: N/A\n%", "| key_value_lines stage.null_word %"),
        ("Found:\n\nstage: IV\n%\n\nThat is all.", "stage=IV | text_before key_value_lines % text_after"),
        ("```yaml\nstage: IV\n%\n```", "stage=IV | code_fence key_value_lines %"),
        ("<think>stage: I</think>stage: IV\n%", "stage=IV | thinking key_value_lines %"),
        ("stage: IV\nstage: IV\n%", "stage=IV | key_value_lines stage.repeated_key %"),
        ("stage: IV\nstage: I\n%", "ConflictingKey"),
        ("stage: IV", "MissingKey"),
        ("%", "MissingKey"),
        ("stage:\n%", "Malformed"),
        ("%\nstage:", "Malformed"),
        ("%\n**stage:**", "Malformed"),
        ("stage:\n- IV\n- A\n%", "Malformed"),
        ("stage: IV\nand more\n%", "Malformed"),
        ("stage: IV\n\nand more\n\n%", "Malformed"),
        ("%\nstage: IV\nand more", "Malformed"),
        ("stage: \"IV\", \"V\"\n%", "Malformed"),
        ("stage: \"IV\n%", "Malformed"),
        ("stage: [\"IV\"]\n%", "WrongType"),
        ("stage: {IV}\n%", "WrongType"),
        ("stage: IV; response: x\n%", "stage=IV; response: x | key_value_lines %"),
        ("<think>x</think>stage: IV\n%<think>y</think>stage: I\n%", "ConflictingRecords"),
        ("\"stage\": \"IV\", @", "NoRecord"),
    ]);
}

#[test]
fn texts_without_a_record() {
    check_all(&[
        ("", "NoRecord"),
        (" \n\u{feff}", "NoRecord"),
        ("null", "NoRecord"),
        ("[]", "NoRecord"),
        ("I am sorry, but I cannot help with that.", "NoRecord"),
        ("The patient has stage IV melanoma with brain metastases.", "NoRecord"),
        ("<!DOCTYPE html><html><style>body {color: red}</style><p>502</p></html>", "NoRecord"),
        ("cancer_type, stage, gene_mutation, biomarker, treatment, response, metastasis_site", "NoRecord"),
        ("{cancer_type, stage, gene_mutation, biomarker, treatment, response, metastasis_site}", "NoRecord"),
        ("RECORD {@, \"stage\": \"III\"}", "ConflictingRecords"),
        ("RECORD {@, \"stage\": null}", "ConflictingRecords"),
        ("RECORD\n\nstage: I\n%", "ConflictingRecords"),
        ("stage: I\n%\n\nRECORD", "ConflictingRecords"),
        ("[RECORD, {@, \"stage\": \"iv\"}]", "ConflictingRecords"),
    ]);
}

#[test]
fn records_that_are_cut_off_are_never_completed() {
    check_all(&[
        ("{", "CutOff"),
        ("{\"stage", "CutOff"),
        ("{\"stage\"", "CutOff"),
        ("{\"stage\":", "CutOff"),
        ("{\"stage\": nul", "CutOff"),
        ("{\"stage\": null", "CutOff"),
        ("{\"stage\": 4", "CutOff"),
        ("{@, \"stage\": \"IV\"", "CutOff"),
        ("{@, \"stage\": \"IV\",", "CutOff"),
        ("{@, \"stage\": \"IV", "CutOff"),
        ("{@, \"stage\": \"IV\\", "CutOff"),
        ("{@, \"stage\": \"IV\\u00", "CutOff"),
        ("{@, \"stage\": \"IV\\ud83d\\", "CutOff"),
        ("{@, \"stage\": \"IV\\\"}", "CutOff"),
        ("{@, \"stage\": [\"IV\"", "CutOff"),
        ("{@, \"stage\": [\"IV\", ", "CutOff"),
        ("{@, \"stage\": \"IV\", \"x\": [{", "CutOff"),
        ("{@, 'stage': 'IV'", "CutOff"),
        ("{@, 'stage': 'IV", "CutOff"),
        ("{\"record\": RECORD", "CutOff"),
        ("```json\n{@, \"stage\": \"IV\"\n```", "Malformed"),
        ("RECORD\n{\"cancer_ty", "CutOff"),
        ("RECORD {", "CutOff"),
    ]);
    for (end, _) in RECORD.char_indices().skip(1) {
        check(RECORD.split_at(end).0, "CutOff");
    }
}

#[test]
fn errors_contain_no_text() {
    let canary = "CANARY";
    for input in ["{\"stage\": \"CANARY", "CANARY", "{\"CANARY\": 1, \"stage\": CANARY}", "stage: CANARY"] {
        let unusable = parse(input).unwrap_err();
        assert!(!format!("{unusable:?} {unusable}").contains(canary));
    }
}
