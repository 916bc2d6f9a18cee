//! Reads the words between organs: whether they continue a list, answer a question, or lead from a spread term to an
//! organ.

use std::borrow::Cow;

use crate::rules::view::is_one_of;

/// Words that may be between organs of one list, or between an organ and its lesions. The "no" of "no brain metastases"
/// denies its own item, and the list continues after it.
const FILLERS: &str = "and or the both multiple left right bilateral new as well also to in on a several numerous \
                       small large diffuse distant lesions lesion metastases metastasis nodules nodule solitary \
                       enhancing lobe hypodense with extensive innumerable scattered sclerotic lytic widespread region no \
                       parenchymal target mets dominant bilobar unilobar multifocal unifocal contralateral ipsilateral her his its harboured harbored harbours harbors";
/// Words that may connect a spread term to the organ after it.
const CONNECTORS: &str = "include includes included are were was noted seen identified present found detected to in involving within throughout of including at sites affecting on site";
/// Returns the words between two organs without boxes to tick. A box that is not ticked denies its organ elsewhere.
fn without_boxes(gap: &str) -> Cow<'_, str> {
    const BOXES: [&str; 6] = ["[x]", "[ ]", "[]", "\u{2610}", "\u{2611}", "\u{2612}"];
    if gap.len() >= 48 || !gap.contains(['[', '\u{2610}', '\u{2611}', '\u{2612}']) {
        return Cow::Borrowed(gap);
    }
    Cow::Owned(BOXES.iter().fold(gap.to_owned(), |text, one| text.replace(one, "")))
}

/// Returns whether the words between two organs are those of a list, or describe a lesion.
pub(super) fn is_list(gap: &str) -> bool {
    let gap = &*without_boxes(gap);
    gap.len() < 48
        && !gap.contains(['.', ':', '\n', ';'])
        && gap
            .split([' ', ',', '/', '&', '+', '(', ')', '-', '*', '•', '·', '●', '▪', '"'])
            .all(|word| word.is_empty() || is_one_of(FILLERS, word))
}

/// Returns whether the words between an organ and its lesions make the organ a heading: "Liver: multiple metastases",
/// "Lungs: new bilateral metastases".
pub(super) fn is_heading(gap: &str) -> bool {
    const COUNTS: &str =
        "there is are was were one two three four five six few innumerable hypodense consistent with compatible";
    let Some(rest) = gap.strip_prefix(':') else { return false };
    gap.len() < 60
        && !rest.contains(['.', ':', '\n', ';'])
        && rest
            .split([' ', ',', '(', ')', '-'])
            .all(|word| word.is_empty() || (word != "no" && is_one_of(FILLERS, word)) || is_one_of(COUNTS, word))
}

/// Returns whether answers are between two organs of one list: "liver no, bone yes", "liver [N], bone [Y]", "liver +,
/// bone -", or rows of a form: "- liver: no", and on the next line "- bone: yes".
pub(super) fn is_answered_list(gap: &str) -> bool {
    const ANSWERS: &str = "no yes n y none nil 0 neg pos absent present negative positive not seen identified detected";
    const MARKS: [char; 19] =
        [' ', ',', '(', ')', '[', ']', '=', ':', ';', '|', '\t', '\n', '?', '+', '-', '*', '•', '·', '●'];
    let is_row =
        gap.trim_start_matches(' ').starts_with([':', '|', '\t', '=', '?']) || gap.trim_start().starts_with("- ");
    let mut words = gap.split(MARKS).filter(|word| !word.is_empty());
    let has_answer = || {
        let sign = gap.trim_start().starts_with(['+', '-']);
        sign || gap.split(MARKS).any(|word| !word.is_empty() && is_one_of(ANSWERS, word))
    };
    gap.len() < 48
        && gap.contains([',', '[', '(', '=', ':', '|', '\t', ';', '?', '\n'])
        && (is_row || !gap.contains([':', '\n']))
        && !gap.contains('.')
        && has_answer()
        && words.all(|word| is_one_of(ANSWERS, word) || is_one_of(FILLERS, word))
}

/// Returns whether the words between a spread term and an organ after it connect the two: "metastatic to the".
pub(super) fn leads_to(gap: &str, strong: bool) -> bool {
    let gap = &*without_boxes(gap);
    let mut words =
        gap.split([' ', ',', '(', ':', '|', '-', '*', '•', '·', '●', '▪']).filter(|word| !word.is_empty()).peekable();
    let directly = strong && gap == " ";
    let listed = gap.trim_start().starts_with('(') || (strong && gap.starts_with([':', '|']));
    let tied = words.peek().is_some_and(|word| is_one_of(CONNECTORS, word)) || listed;
    directly
        || (tied
            && gap.len() < 40
            && !gap.contains(['.', '\n', ';'])
            && words.all(|word| is_one_of(CONNECTORS, word) || is_one_of(FILLERS, word) || is_count(word)))
}

/// Returns whether a word is a count, as in "in 4 of 22 regional lymph nodes" or "in 4/22 nodes".
fn is_count(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'/')
}
