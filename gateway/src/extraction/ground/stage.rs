//! Finds stage groups in a note: "stage IIIB", "staged as IV", "FIGO IIIC". "IV" alone does not count, because it as
//! often means intravenous.

use std::ops::Range;

use super::index::Index;
use crate::extraction::staging::{self, Group};

/// Maximum number of words between the word "stage" and its group, as in "stage documented as IV". Words of one or two
/// letters do not count.
const WIDEST_GAP: usize = 4;

/// Words before a group.
const HEADS: [&str; 10] =
    ["stage", "stages", "staged", "staging", "stg", "figo", "ajcc", "cstage", "pstage", "substage"];
/// Words before a group that are also the name of a town: "Ann Arbor 3 weeks ago".
const TOWNS: [&str; 2] = ["arbor", "lugano"];
/// The first letters of these words, and of the groups themselves. Most words of a note begin with others.
const INITIALS: [char; 7] = ['s', 'f', 'a', 'c', 'p', 'l', 'i'];

/// Returns the stage groups of the note in order, each with its byte range.
pub(super) fn groups(note: &Index) -> Vec<(Group, Range<usize>)> {
    let mut found = Vec::new();
    let word = |at: usize| note.tokens().get(at).map(|&token| note.fold_of(token));
    for (at, &head) in note.walk().enumerate() {
        if !note.fold_of(head).starts_with(INITIALS) {
            continue;
        }
        let is_town = TOWNS.contains(&note.fold_of(head));
        let names_stage = HEADS.contains(&note.fold_of(head)) || is_abbreviated(note, at);
        if is_behind_cancer(note, at)
            && let Some((group, last)) = group_at(note, at)
        {
            found.push((group, head.start..last));
        }
        if !is_town && !names_stage {
            continue;
        }
        let mut next = at + 1;
        let mut gap = 0;
        // The full stop of "st." does not end a sentence.
        let sentence = if is_abbreviated(note, at) {
            note.tokens().get(next).map_or(head.sentence, |token| token.sentence)
        } else {
            head.sentence
        };
        while let Some(&token) = note.tokens().get(next).filter(|token| token.sentence == sentence) {
            if let Some((group, last)) = group_at(note, next) {
                let is_number = is_town && note.fold_of(token).starts_with(|c: char| c.is_ascii_digit());
                if !is_number && !is_of_other_disease(note, at, last) {
                    found.push((group, head.start..last));
                    found.extend(revised(note, next + 1));
                }
                break;
            }
            // The tokens of a TNM formula are short and do not count as a gap. Another word "stage" ends the search.
            let folded = note.fold_of(token);
            if gap >= WIDEST_GAP || matches!(folded, "no" | "not" | "unknown") || is_head(folded) {
                break;
            }
            gap += usize::from(word(next).is_some_and(|word| word.len() > 2));
            next += 1;
        }
    }
    found
}

/// Returns the group to which the words after another group correct it: "staged as IV; revised to II".
fn revised(note: &Index, from: usize) -> Option<(Group, Range<usize>)> {
    const REACH: usize = 6;
    let tokens = note.tokens().get(from..note.tokens().len().min(from + REACH))?;
    let verb = tokens.iter().enumerate().find(|(_, token)| {
        matches!(note.fold_of(**token), "corrected" | "revised" | "amended" | "reclassified" | "restaged" | "upstaged")
    });
    let (at, verb) = verb?;
    let link = tokens.get(at + 1).map(|token| note.fold_of(*token))?;
    let (group, end) = group_at(note, from + at + 2).filter(|_| matches!(link, "to" | "as"))?;
    Some((group, verb.start..end))
}

/// Returns whether the stage belongs to a disease of the kidneys, skin, heart or the like: "CKD stage IV", "stage IV
/// sacral ulcer". It belongs to the cancer if one is named directly after it: "CKD, stage IV lung cancer".
fn is_of_other_disease(note: &Index, head: usize, end: usize) -> bool {
    let tokens = note.tokens();
    let after = tokens.partition_point(|token| token.start < end);
    let Some(head_token) = tokens.get(head) else { return false };
    let ends_phrase =
        |word: &str| matches!(word, "with" | "and" | "on" | "in" | "for" | "plus" | "had" | "has" | "now");
    let following = tokens.get(after..tokens.len().min(after + 4)).unwrap_or_default().iter();
    let clause = tokens.get(after.saturating_sub(1)).map_or(head_token.clause, |last| last.clause);
    let following = following
        .take_while(|token| token.sentence == head_token.sentence && token.clause == clause)
        .map(|&token| note.fold_of(token))
        .take_while(|word| !ends_phrase(word));
    let following: Vec<&str> = following.collect();
    if following.iter().any(|word| is_cancer(word)) {
        return false;
    }
    if following.iter().any(|word| is_other_disease(word)) {
        return true;
    }
    let before = tokens.get(head.saturating_sub(3)..head).unwrap_or_default().iter().rev();
    let before = before.take_while(|token| token.sentence == head_token.sentence);
    let mut before = before.map(|&token| (token.clause, note.fold_of(token)));
    // "Carcinoma of the left kidney, stage I" names an organ.
    before
        .by_ref()
        .take_while(|(_, word)| !ends_phrase(word) && !is_cancer(word))
        .any(|(clause, word)| is_other_disease(word) && (word != "kidney" || clause == head_token.clause))
}

fn is_cancer(word: &str) -> bool {
    const ACRONYMS: [&str; 16] = [
        "nsclc", "sclc", "hcc", "rcc", "ccrcc", "crc", "pdac", "tnbc", "hgsoc", "hnscc", "dlbcl", "idc", "ilc", "gist",
        "scc", "ca",
    ];
    ["cancer", "carcinoma", "adeno", "tumor", "tumour", "lymphoma", "melanoma", "sarcoma", "malignan"]
        .iter()
        .any(|head| word.starts_with(head))
        || ACRONYMS.contains(&word)
}

/// Returns whether "st" is short for "stage" here: a Roman numeral of two letters or more follows. "St. 1" is a street
/// or a saint.
fn is_abbreviated(note: &Index, at: usize) -> bool {
    let word = |at: usize| note.tokens().get(at).map(|&token| note.fold_of(token));
    word(at) == Some("st")
        && word(at + 1).is_some_and(|next| next.len() >= 2 && next.starts_with('i') && staging::group(next).is_some())
}

/// Returns whether a group without the word "stage" directly follows a cancer: "ovarian cancer IIIC". Its letter is
/// needed, because "IV" as often means intravenous.
fn is_behind_cancer(note: &Index, at: usize) -> bool {
    let tokens = note.tokens();
    let pair = at.checked_sub(1).and_then(|before| tokens.get(before)).zip(tokens.get(at));
    pair.is_some_and(|(&before, &token)| {
        let group = note.fold_of(token);
        before.sentence == token.sentence
            && before.clause == token.clause
            && token.gap == 1
            && group.starts_with('i')
            && group.ends_with(['a', 'b', 'c'])
            && staging::group(group).is_some()
            && is_cancer(note.fold_of(before))
    })
}

fn is_other_disease(word: &str) -> bool {
    matches!(
        word,
        "ckd"
            | "esrd"
            | "aki"
            | "nephropathy"
            | "kidney"
            | "ulcer"
            | "ulcers"
            | "decubitus"
            | "sore"
            | "wound"
            | "nyha"
            | "acc"
            | "failure"
            | "chf"
            | "hypertension"
            | "htn"
            | "cirrhosis"
            | "fibrosis"
            | "copd"
            | "gold"
            | "parkinson"
            | "parkinsons"
            | "endometriosis"
            | "sarcoidosis"
            | "retinopathy"
            | "lymphedema"
            | "lymphoedema"
            | "hoehn"
            | "yahr"
            | "dementia"
            | "gvhd"
            | "osteonecrosis"
            | "prolapse"
            | "gout"
            | "glaucoma"
    )
}

fn is_head(word: &str) -> bool {
    matches!(word, "stage" | "stages" | "staged" | "staging")
}

/// Returns the group that starts at a token and the byte offset of its end: `iiib`; `iii`, `b`; `3`, `b`; `iiia`, `1`.
fn group_at(note: &Index, at: usize) -> Option<(Group, usize)> {
    let mut best = None;
    let mut text = String::new();
    let tokens = note.tokens().get(at..note.tokens().len().min(at + 3))?;
    // The 4 of "cT4" directly follows a letter, so it is not a group.
    if tokens.first()?.gap == 0 {
        return None;
    }
    for (place, &token) in tokens.iter().enumerate() {
        // "III B" is one group, "III breast" is not: only a single letter or digit may follow a space.
        if place > 0 && token.gap > u32::from(note.fold_of(token).len() == 1) {
            break;
        }
        text.push_str(note.fold_of(token));
        match staging::group(&text) {
            Some(group) => best = Some((group, token.end)),
            None => break,
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_before_a_group_is_looked_at() {
        for head in HEADS.iter().chain(&TOWNS) {
            let text = format!("{head} iiib");
            assert_eq!(groups(&Index::of(&text)).len(), 1, "{text}");
        }
        assert_eq!(groups(&Index::of("ovarian cancer iiic")).len(), 1);
    }
}
