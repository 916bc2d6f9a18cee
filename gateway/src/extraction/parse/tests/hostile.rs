//! Texts made to cost time or stack. They are only run: with a quadratic step anywhere they would not end.

use super::{OTHERS, RECORD, check, parse};

#[test]
fn hostile_texts_end() {
    let pieces = [
        "{",
        "}",
        "[",
        "\"",
        "'",
        "“",
        "\\",
        "<",
        "<think>",
        "</think>",
        "{\"",
        "{'",
        "{“",
        "{'{“{\"",
        "\"{",
        "{\"a\":",
        "{a:",
        "{a:'",
        "{\"a\":[",
        "[{",
        "{ ",
        "', ",
        "' ,",
        "', a",
        "'}",
        "\n",
        "stage:",
        "stage: x\n",
        "```",
        "```\n",
        "{}",
        "{\"\\",
        "{\"\\ud83d",
        "{\"a\":1}",
        "\u{a0}",
        "stage: *",
        "😀",
    ];
    let starts = ["", "{", "{\"stage\":", "{'stage':'", "{'stage':['", "{\"x\":", "{\"stage\":\"", "stage: "];
    for piece in pieces {
        // Every start with 10 kB, and one text of a megabyte.
        for start in starts {
            let text = format!("{start}{}", piece.repeat(10_000 / piece.len()));
            assert!(parse(&text).is_err(), "{start}{piece}");
            assert!(parse(&format!("{text}' x")).is_err(), "{start}{piece}' x");
        }
        assert!(parse(&piece.repeat(1_000_000 / piece.len())).is_err(), "{piece}");
    }
    let many = RECORD.repeat(1_000_000 / RECORD.len());
    check(&many, "stage=IV | repeated_record");
    let long = format!("{{@, \"stage\": '{}'}}", "a' b, ".repeat(150_000));
    assert!(parse(&long.replace('@', OTHERS)).is_ok());
}
