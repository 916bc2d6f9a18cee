//! Recognises stages that the note retracts or states only under a condition: "stage IV was suspected on CT", "if
//! confirmed, the stage would be IIIB", "supersedes the report stating stage IIIC".

use std::ops::Range;

use super::{benign::is_first_opinion, view::NoteView};

/// Bytes of the sentence before a stage, and after it, that are read.
const BEFORE: usize = 200;
const AFTER: usize = 110;

/// Returns whether the note retracts a stage or makes it depend on a condition.
pub(in crate::rules) fn is_taken_back(view: &NoteView<'_>, stage: &Range<usize>) -> bool {
    is_first_opinion(view, stage.start, false)
        || is_error(view, stage)
        || is_only_suspected(view, stage)
        || is_conditional(view, stage)
        || is_of_replaced_report(view, stage)
        || is_overruled(view, stage)
}

/// Returns whether the note calls a stage an error: "stage IIIC in error", "(previously recorded as stage IV)".
fn is_error(view: &NoteView<'_>, stage: &Range<usize>) -> bool {
    const ERRORS: [&str; 6] =
        [" in error", " erroneously", " by mistake", " incorrectly", " was entered by", " disease in error"];
    const RECORDED: [&str; 6] = [
        "(previously recorded as",
        "(previously reported as",
        "(previously stated as",
        "(formerly recorded as",
        "(initially recorded as",
        "(recorded before as",
    ];
    let after = view.folded.after(stage.end, 20);
    let before = view.folded.before(stage.start, 28).trim_end();
    ERRORS.iter().any(|error| after.starts_with(error)) || RECORDED.iter().any(|words| before.ends_with(words))
}

/// Returns whether the verb after a stage calls it a suspicion or denies it: "stage IV was suspected on CT".
fn is_only_suspected(view: &NoteView<'_>, stage: &Range<usize>) -> bool {
    const VERBS: [&str; 10] = [
        "suspected",
        "excluded",
        "ruled out",
        "not confirmed",
        "not be confirmed",
        "refuted",
        "rejected",
        "withdrawn",
        "retracted",
        "considered",
    ];
    const BETWEEN: [&str; 19] = [
        "was",
        "is",
        "were",
        "been",
        "has",
        "had",
        "be",
        "could",
        "initially",
        "first",
        "at",
        "then",
        "disease",
        "cancer",
        "carcinoma",
        "later",
        "originally",
        "also",
        "subsequently",
    ];
    // "Was considered unresectable" doubts something else.
    const ENDS: [&str; 8] = ["", ",", " but", " and excluded", " and rejected", " at first", " initially", " possible"];
    let clause = view.near(&(stage.end..stage.end), 0, AFTER);
    let clause = clause.split([';', '\n']).next().unwrap_or_default();
    let found = VERBS.iter().filter_map(|verb| Some((clause.find(verb)?, *verb))).min();
    found.is_some_and(|(at, verb)| {
        let rest = clause.get(at + verb.len()..).unwrap_or_default().trim_end_matches('.');
        let between = clause.get(..at).unwrap_or_default();
        let mut words = between.split(' ').filter(|word| !word.is_empty()).peekable();
        let tied = words.peek().is_some() && words.all(|word| BETWEEN.contains(&word));
        let whole = verb != "considered" || rest.is_empty() || ENDS.iter().skip(1).any(|end| rest.starts_with(end));
        let confirmed = rest.contains("confirm") && !rest.contains("not confirm") && !rest.contains("unconfirm");
        tied && whole && !confirmed
    })
}

/// Returns whether a stage holds only under a condition: "if the nodule is a metastasis the stage is IVA", "would be
/// stage IV if the cytology is positive".
pub(in crate::rules) fn is_conditional(view: &NoteView<'_>, stage: &Range<usize>) -> bool {
    const OPENING: [&str; 4] = ["if ", "should ", "unless ", "provided "];
    // "If her stage IV disease progresses" states her stage.
    const OWN: [&str; 11] = ["her", "his", "their", "known", "has", "had", "with", "of", "for", "current", "patient's"];
    const CONDITIONS: [&str; 9] =
        ["confirm", "metasta", "malignan", "positive", "proven", "true", "real", "involved", "negative"];
    let before = view.near(&(stage.start..stage.start), BEFORE, 0);
    let clause = before.rsplit([';', '\n']).next().unwrap_or_default().trim_start_matches([' ', '-', '*', '(']);
    let opened = OPENING.iter().any(|opening| clause.starts_with(opening) || before.contains(&*format!(": {opening}")));
    let last = clause.trim_end().rsplit([' ', '(']).next().unwrap_or_default();
    if opened && !OWN.contains(&last) {
        return true;
    }
    let after = view.near(&(stage.end..stage.end), 0, AFTER);
    let would = ["would ", "would"].iter().any(|word| {
        before.rfind(word).is_some_and(|at| before.len() - at <= 40) || view.folded.slice(stage.clone()).contains(word)
    });
    let has_if = |text: &str| text.contains(" if ") || text.starts_with("if ") || text.contains(" unless ");
    if would && (has_if(before) || has_if(after)) {
        return true;
    }
    let next = after.strip_prefix(" disease").unwrap_or(after);
    let condition = next.strip_prefix(" if ").or_else(|| next.strip_prefix(" only if "));
    condition.is_some_and(|condition| {
        let condition = condition.split([';', ',', '\n']).next().unwrap_or_default();
        CONDITIONS.iter().any(|word| condition.contains(word))
    })
}

/// Returns whether a stage is that of a report which this one replaces.
fn is_of_replaced_report(view: &NoteView<'_>, stage: &Range<usize>) -> bool {
    let before = view.near(&(stage.start..stage.start), 90, 0);
    let clause = before.rsplit([';', '\n']).next().unwrap_or_default();
    let replaced = ["supersedes", "superseding", "replaces", "replacing"];
    replaced.iter().filter_map(|word| clause.rfind(word)).max().is_some_and(|at| {
        let between = clause.get(at..).unwrap_or_default();
        ["report", "stag", "diagnos", "version", "result"].iter().any(|word| between.contains(word))
            && !between.contains(" with ")
            && !between.contains(" by ")
    })
}

/// Returns whether the sentence replaces a stage of the imaging by another one: "radiological stage IV, but the biopsy
/// was negative: stage IIIA".
fn is_overruled(view: &NoteView<'_>, stage: &Range<usize>) -> bool {
    const IMAGED: [&str; 7] = ["radiological", "radiologic", "radiographic", "imaging", "clinical", "ct", "pet"];
    let before = view.near(&(stage.start..stage.start), 20, 0).trim_end();
    let last = before.rsplit([' ', ',', ':', '(']).next().unwrap_or_default();
    let after = view.near(&(stage.end..stage.end), 0, AFTER);
    let (_, replaced) = after.split_once(" but ").unwrap_or_default();
    IMAGED.contains(&last) && replaced.contains("stage ") && !replaced.contains("confirm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_taken_back() {
        for (text, taken_back) in [
            ("stage iv was suspected on CT; final stage II.", true),
            ("stage iv was considered but excluded after MRI.", true),
            ("stage iv disease was initially suspected.", true),
            ("stage iv was suspected and later confirmed by biopsy.", false),
            ("stage iv was considered unresectable.", false),
            ("stage iv cancer; a fracture was suspected.", false),
            ("If the nodule is malignant, this would be stage iv.", true),
            ("Would be stage iv if pleural cytology is positive.", true),
            ("If the contralateral nodule is a metastasis the stage iv", true),
            ("If her stage iv disease progresses, hospice.", false),
            ("If a patient with stage iv disease progresses, hospice.", false),
            ("stage iv if the nodule is confirmed.", true),
            ("stage iv, if tolerated continue osimertinib.", false),
            ("By AJCC this would be stage iv.", false),
            ("Supersedes earlier report stating stage iv.", true),
            ("stage iv supersedes the earlier report.", false),
            ("Radiological stage iv (adrenal), but adrenal biopsy negative: stage IIIA.", true),
            ("Clinical stage iv, but she feels well.", false),
        ] {
            let view = NoteView::of(text);
            let at = view.folded.as_str().find("stage iv").unwrap();
            assert_eq!(is_taken_back(&view, &(at..at + "stage iv".len())), taken_back, "{text}");
        }
    }
}
