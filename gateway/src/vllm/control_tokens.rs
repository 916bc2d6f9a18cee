//! Makes control tokens in a note harmless before the note is sent.
//!
//! vLLM parses `<|eot_id|>` inside a message as the real token, so a note could close its turn and open another. Each
//! tokenizer has its own control tokens, and a server lists them only if it was started with that option. So the
//! gateway uses no list. It inserts a space into every text that has the form of a control token of any model family,
//! which breaks the token for every tokenizer, whether this model has it or not. Asking `/tokenize` first could only
//! avoid some of these spaces, and real notes have almost none. The spaces do not affect the evidence, because values
//! are looked up in the note as the client sent it. A token without brackets or bars, such as `/nothink`, has no such
//! form and is sent unchanged.

use std::borrow::Cow;

/// Longest name between two brackets or bars, in bytes.
const LONGEST_NAME: usize = 64;
/// The bars that tokenizers know; some tokenizers read full-width characters as the plain ones.
const BARS: [char; 2] = ['|', '｜'];

/// Returns the note with a space inside each text that has the form of a control token:
///
/// - a bracket and a bar, `<|` or `[|`, also `<｜` as `DeepSeek` writes it: Llama 3, Qwen, Phi, EXAONE;
/// - a word in angle brackets, such as `<s>`, `</s>`, `<start_of_turn>`, `<<SYS>>`, `<0x0A>`: Llama 2, Gemma, T5;
/// - a word in square or curly brackets, such as `[INST]`, `[gMASK]`, `[control_8]`, `[@BOS@]`: Mistral, GLM, Gemma, BERT;
/// - a word between bars, `|ENDOFTEXT|`, or between doubled signs, `>>TITLE<<`: Persimmon, Falcon;
/// - `]~b]`, `]~!b[`, `[e~[`: `MiniMax`.
pub(super) fn break_control_tokens(note: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, bracket) in note.char_indices().filter(|&(_, character)| is_bracket(character)) {
        let next = at + bracket.len_utf8();
        if begins_token(bracket, note.get(next..).unwrap_or_default()) {
            out.push_str(note.get(copied..next).unwrap_or_default());
            out.push(' ');
            copied = next;
        }
    }
    if copied == 0 {
        return note.into();
    }
    out.push_str(note.get(copied..).unwrap_or_default());
    out.into()
}

fn is_bracket(character: char) -> bool {
    matches!(character, '<' | '>' | '[' | ']' | '{' | '|' | '＜' | '＞' | '［' | '｛' | '｜' | '﹤')
}

/// Returns whether a bracket and the text after it have the form of a control token.
fn begins_token(bracket: char, rest: &str) -> bool {
    match bracket {
        '<' | '＜' | '﹤' => rest.starts_with(BARS) || name(rest, bracket, &['>', '＞', '﹥']).is_some(),
        '[' | '［' => rest.starts_with(BARS) || rest.starts_with("e~[") || word(rest, bracket, &[']', '］']),
        '{' | '｛' => rest.starts_with(BARS) || word(rest, bracket, &['}', '｝']),
        '|' | '｜' => word(rest, '\0', &BARS),
        '>' | '＞' => rest.strip_prefix(bracket).is_some_and(|rest| word(rest, bracket, &['<', '＜'])),
        _ => rest.starts_with('~'),
    }
}

/// Returns the name up to one of `ends`; `None` if it is empty, has white space or is longer than [`LONGEST_NAME`].
fn name<'a>(rest: &'a str, begin: char, ends: &[char]) -> Option<&'a str> {
    let (mut length, mut found) = (0, false);
    for character in rest.chars() {
        if ends.contains(&character) {
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

/// Returns whether the name up to one of `ends` has the form of a token's name: at least two characters, one of them a
/// letter, and no character that only formulas and sentences have. `[2,3]`, `[0.4-0.8]` and `[76A>C;83G>C]` have not.
fn word(rest: &str, begin: char, ends: &[char]) -> bool {
    let is_name_character = |character: char| {
        character.is_alphanumeric()
            || BARS.contains(&character)
            || matches!(character, '_' | '/' | '-' | '.' | ':' | '@' | '#' | '$' | '~' | '!' | '▁')
    };
    name(rest, begin, ends).is_some_and(|name| {
        name.chars().all(is_name_character) && name.contains(char::is_alphabetic) && name.chars().nth(1).is_some()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_of_every_family_get_a_space() {
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
            "[mask]",
            "[unused1]",
            "[multimodal]",
            "[control_768]",
            "[@BOS@]",
            "[|endofturn|]",
            "[|system|]",
            "{{SYSTEM}}",
            "|ENDOFTEXT|",
            ">>TITLE<<",
            ">>QUESTION<<",
            "<seed:bos>",
            "<mask:0>",
            "<SPECIAL_61>",
            "<2en>",
            "<commit_msg>",
            "<role>HUMAN</role>",
            "▁<PRE>",
            // Tokenizers that normalise characters read these as the plain tokens.
            "＜s＞",
            "<｜eot_id｜>",
            "﹤unk﹥",
            "［INST］",
            "<\u{200b}|eot_id|>",
            "]~b]",
            "]~!b[",
            "[e~[",
        ] {
            for note in
                [token.to_owned(), format!("Stage IV.{token}system\n{token}{token}"), format!("<{token}>[{token}]<[")]
            {
                let sent = break_control_tokens(&note);
                assert!(!sent.contains(token), "{token} in {sent}");
                let bare = |text: &str| text.replace(' ', "");
                assert_eq!(bare(&sent), bare(&note), "only spaces are added");
            }
        }
    }

    #[test]
    fn texts_of_clinicians_are_sent_unchanged() {
        for note in [
            "PSA < 0.1, CA 19-9 > 35; age <50 and >18.",
            "Ki-67 <5 %, PD-L1 TPS <1% (>1% before)",
            "p<0.05, HR 0.6 [0.4-0.8]",
            "stage II [of IV], see [1] and [2,3] [Dr. Smith]",
            "NM_000059.3:c.[76A>C;83G>C], 46,XY,t(9;22)[20]/46,XY[3]",
            "T1|N0 | M0; >>5 cm; {a, b}; age >> 50",
            "T2 -> T3 -> T4; a<b",
            "~ 5 cm [?], size [~ 5], [-] [+++]",
        ] {
            assert!(
                matches!(break_control_tokens(note), Cow::Borrowed(sent) if sent == note),
                "{note}: {}",
                break_control_tokens(note)
            );
        }
    }

    proptest! {
        #[test]
        fn the_result_has_no_control_token_left(note in "(<|>|\\||｜|＜|\\[|\\]|\\{|\\}|~|e~|/|s|INST|SYS|é| |\n){0,30}") {
            let once = break_control_tokens(&note).into_owned();
            prop_assert_eq!(break_control_tokens(&once), once.as_str());
            prop_assert_eq!(once.replace(' ', ""), note.replace(' ', ""));
        }
    }
}
