//! Words after "stage" that look like a group and are none: "at this stage I would", "staging: 2 small nodules",
//! "staging with IV contrast", "stage 1 of the operation".

use std::ops::Range;

use crate::rules::view::{NoteView, is_one_of};

/// Verbs that follow the "I" of the writer.
const VERBS: &str = "would have am will think feel recommend discussed noted suggest see did do can could explained \
                     want also plan shall should believe advised reviewed understand find saw met spoke hope propose";

/// Words before a "stage" that is a point in time.
const POINTS: [&str; 9] = [
    "at this",
    "at that",
    "at present",
    "at the present",
    "at each",
    "at any",
    "at some",
    "in an early",
    "in the early",
];

/// Nouns of infusions, before which "IV" means intravenous.
const INFUSIONS: [&str; 9] =
    [" contrast", " fluid", " antibiotic", " access", " cannula", " iron", " steroid", " line", " bolus"];

/// Words after the number of a step of an operation or a study.
const STEPS: [&str; 10] = [
    " done",
    " completed",
    " performed",
    " planned",
    " procedure",
    " left lateral",
    " right lateral",
    " of the trial",
    " of the study",
    " of the protocol",
];

/// Words before the number of a step.
const OPERATIONS: [&str; 5] = ["two stage", "2 stage", "two stages", "alpps", "reconstruction"];

/// Returns whether the numeral at the end of `range` is no stage group. `word`: the word that begins it.
pub(super) fn is_no_stage(view: &NoteView<'_>, word: &str, range: &Range<usize>, numeral: &str) -> bool {
    let next = view.folded.after(range.end, 24);
    let before = view.folded.before(range.start, 32);
    let digits = !numeral.starts_with(['i', 'v']);
    // A list under "Staging" begins on its next line.
    let numeral_at = range.end - numeral.len().min(range.len());
    let on_new_line = view.folded.quote(&(numeral_at.saturating_sub(1)..numeral_at)).contains('\n');
    match numeral {
        "i" => is_writer(next, before, view.folded.slice(range.clone())),
        "iv" => INFUSIONS.iter().any(|noun| next.starts_with(noun)),
        _ if digits && matches!(word, "staging" | "restaged") => {
            let ends = next.trim_start().is_empty() || next.starts_with(['.', ',', ';', ')', '\n']);
            !ends || on_new_line
        }
        // "Endometrioid adenocarcinoma, FIGO 2" has this grade.
        _ if digits && word == "figo" && range.len() == word.len() + 2 => {
            view.folded.before(range.start, 60).contains("endometri")
        }
        _ if digits => is_step(next, before) || is_date(next) || before.ends_with("summary "),
        _ => false,
    }
}

/// Returns whether the "I" is the writer: "at this stage I would", "in the early stages I noted".
fn is_writer(next: &str, before: &str, words: &str) -> bool {
    let verb = next.trim_start().trim_start_matches(',').split(|c: char| !c.is_alphanumeric()).next();
    let says = next.starts_with(' ') && verb.is_some_and(|verb| is_one_of(VERBS, verb));
    let point = POINTS.iter().any(|point| before.trim_end().ends_with(point)) || words.starts_with("stages");
    says || (point && next.starts_with(' '))
}

/// Returns whether the number counts a step: "ALPPS stage 1 performed".
fn is_step(next: &str, before: &str) -> bool {
    STEPS.iter().any(|step| next.starts_with(step)) || OPERATIONS.iter().any(|operation| before.contains(operation))
}

/// Returns whether the number begins a date or a count: "staged on 2 May", "restaged at 2 and 4 months", "3/2021".
fn is_date(next: &str) -> bool {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let month = next.strip_prefix(' ').is_some_and(|word| MONTHS.iter().any(|month| word.starts_with(month)));
    let slash = next.strip_prefix('/').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let count = [" and ", " of "]
        .iter()
        .any(|join| next.strip_prefix(join).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
    month || slash || count
}
