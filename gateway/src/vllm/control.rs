//! Control tokens in notes, made harmless before a note is sent.
//!
//! vLLM parses `<|eot_id|>` inside a message as the real token, so that a note could close its turn and open another.
//! Which tokens a model has is the matter of its tokenizer, and each family spells its own; but they come in few
//! kinds, and a space within takes any of them apart. Nothing of this reaches the evidence: values are looked for in
//! the note as it came. A token that is a plain word, or is spelled in a way of its own, is not among these kinds: only
//! the tokenizer itself could tell, and vLLM tells its list of them only where it was started to.

use std::borrow::Cow;

/// Longest name between `<` and `>`, or `[` and `]`, in bytes.
const LONGEST_NAME: usize = 64;

/// The note with a space in each of its control tokens:
///
/// - what begins with `<|` or, as `DeepSeek` writes it, `<｜`: Llama 3, Qwen, Phi, Granite, gpt-oss;
/// - a word in angle brackets, such as `<s>`, `</s>`, `<start_of_turn>`, `<<SYS>>`, `<0x0A>`: Llama 2, Gemma, T5;
/// - a word of capitals in square brackets, such as `[INST]`, `[/TOOL_RESULTS]`, `[gMASK]`: Mistral, GLM, BERT;
/// - `]~b]`, `]~!b[`, `[e~[`: `MiniMax`.
pub(super) fn neutralised(note: &str) -> Cow<'_, str> {
    let bytes = note.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    for at in memchr::memchr3_iter(b'<', b'[', b']', bytes) {
        let rest = note.get(at + 1..).unwrap_or_default();
        let begins_one = match bytes.get(at) {
            Some(b'<') => rest.starts_with(['|', '｜']) || name(rest, '<', '>').is_some(),
            Some(b'[') => rest.starts_with("e~[") || name(rest, '[', ']').is_some_and(has_capitals),
            _ => rest.starts_with('~'),
        };
        if begins_one {
            out.push_str(note.get(copied..=at).unwrap_or_default());
            out.push(' ');
            copied = at + 1;
        }
    }
    if copied == 0 {
        return note.into();
    }
    out.push_str(note.get(copied..).unwrap_or_default());
    out.into()
}

/// The name up to `end`, where it holds no white space and is no longer than names are.
fn name(rest: &str, begin: char, end: char) -> Option<&str> {
    let (mut length, mut found) = (0, false);
    for character in rest.chars() {
        if character == end {
            found = true;
            break;
        }
        if character == begin || character.is_whitespace() || length > LONGEST_NAME {
            break;
        }
        length += character.len_utf8();
    }
    rest.get(..length).filter(|name| found && !name.is_empty())
}

/// Two capitals one after the other, in a name as tokens have it.
fn has_capitals(name: &str) -> bool {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'-'));
    is_name && name.as_bytes().windows(2).any(|pair| pair.iter().all(u8::is_ascii_uppercase))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_of_every_family_are_taken_apart() {
        for token in [
            "<|eot_id|>",
            "<|start_header_id|>",
            "<|im_start|>",
            "<|endoftext|>",
            "<|channel|>",
            "<|turn>",
            "<｜User｜>",
            "<｜begin▁of▁sentence｜>",
            "<s>",
            "</s>",
            "<unk>",
            "<bos>",
            "<eos>",
            "<pad>",
            "<start_of_turn>",
            "<end_of_turn>",
            "<<SYS>>",
            "<</SYS>>",
            "<extra_id_0>",
            "<0x0A>",
            "<BOS_TOKEN>",
            "<fim_prefix>",
            "<think>",
            "</tool_call>",
            "<reserved_106>",
            "[INST]",
            "[/INST]",
            "[AVAILABLE_TOOLS]",
            "[/TOOL_RESULTS]",
            "[SYSTEM_PROMPT]",
            "[BOS]",
            "[CLS]",
            "[gMASK]",
            "[UNUSED_TOKEN_146]",
            "]~b]",
            "]~!b[",
            "[e~[",
        ] {
            for note in
                [token.to_owned(), format!("Stage IV.{token}system\n{token}{token}"), format!("<{token}>[{token}]<[")]
            {
                let sent = neutralised(&note);
                assert!(!sent.contains(token), "{token} in {sent}");
                let bare = |text: &str| text.replace(' ', "");
                assert_eq!(bare(&sent), bare(&note), "only spaces are added");
            }
        }
    }

    #[test]
    fn what_a_clinician_writes_is_sent_as_it_is() {
        for note in [
            "PSA < 0.1, CA 19-9 > 35; age <50 and >18.",
            "Ki-67 <5 %, PD-L1 TPS <1% (>1% before)",
            "p<0.05, HR 0.6 [0.4-0.8]",
            "stage II [of IV], see [1] and [2,3] [sic] [Dr. Smith]",
            "T2 -> T3 -> T4; a<b",
            "~ 5 cm, size [approx.]",
        ] {
            assert!(matches!(neutralised(note), Cow::Borrowed(sent) if sent == note), "{note}: {}", neutralised(note));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_take_apart(note in "(<|>|\\||｜|\\[|\\]|~|e~|/|s|INST|SYS|é| |\n){0,30}") {
            let once = neutralised(&note).into_owned();
            prop_assert_eq!(neutralised(&once), once.as_str());
            prop_assert_eq!(once.replace(' ', ""), note.replace(' ', ""));
        }
    }
}
