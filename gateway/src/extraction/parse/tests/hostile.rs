//! Texts made to cost time or stack. With a quadratic step anywhere, this test would not end.

use super::{OTHERS, RECORD, check, parse};

#[test]
fn hostile_texts_take_linear_time() {
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
        // Each start with 10 kB of the piece, and 1 MB of the piece alone.
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
