//! Distinguishes two tumours of one organ: those of its two sides, of different histology, or of different parts of the
//! bowel, where the note says that there are two.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{super::word_runs::places_of, side, signs::TumourMention};

/// Words beside the name of a tumour on either side.
const BOTH_SIDES: [&str; 2] = ["bilateral", "contralateral"];

/// Words beside the name of a second tumour of the same organ.
const SECOND: [&str; 4] = ["synchronous", "metachronous", "previous", "new "];

/// Words that say, anywhere in a note, that there is a second tumour.
const SAYS_SECOND: [&str; 9] = [
    "new primar",
    "second primar",
    "another primar",
    "separate primar",
    "two primar",
    "synchronous primar",
    "different primar",
    "independent primar",
    "fresh primar",
];

/// Words of a histology; a name of one kind is not of another.
pub(super) const HISTOLOGIES: [&str; 8] =
    ["squamous", "adenocarcinoma", "small cell", "neuroendocrine", "carcinoid", "ductal", "lobular", "sarcoma"];

/// Parts of the bowel; a name of one is not of another.
const PARTS: [&str; 10] =
    ["cecum", "caecum", "cecal", "caecal", "ascending", "transverse", "descending", "sigmoid", "rectum", "rectal"];

/// Bytes before a name that are searched for its side.
const SIDE_BEFORE: usize = 30;

/// Returns one variant per mention: `Some("")` if nothing distinguishes tumours of its kind; `None` if its kind has
/// several variants and this name fits none in particular, so that it names no tumour. `lower` is the text in lower
/// case.
pub(super) fn variants(lower: &str, mentions: &[TumourMention]) -> Vec<Option<&'static str>> {
    let beside = |list: &[&str]| mentions.iter().any(|mention| stands_beside(lower, &mention.range, list));
    let (both_sides, second) =
        (beside(&BOTH_SIDES), beside(&SECOND) || SAYS_SECOND.iter().any(|words| lower.contains(words)));
    // A transformation changes the histology of one tumour.
    let second = second && !says_transformation(lower);
    // "Left breast cancer" and "right breast cancer" are two, also where the note has no word for that.
    let named_sides = Variants::of(mentions, |mention| side::ahead_of_name(lower, &mention.range));
    if !both_sides && !second && named_sides.differing.is_empty() {
        return vec![Some(""); mentions.len()];
    }
    let by_side = Variants::of(mentions, |mention| {
        let tells = both_sides || second || named_sides.differing.contains(mention.kind);
        side(lower, &mention.range).filter(|_| tells)
    });
    let by_histology = Variants::of(mentions, |mention| histology(&mention.name).filter(|_| second));
    let by_part = Variants::of(mentions, |mention| part(named_in(lower, &mention.range)).filter(|_| second));
    let all = [by_side, by_histology, by_part];
    let of = |(at, mention): (usize, &TumourMention)| {
        let telling = all.iter().find(|variants| variants.differing.contains(mention.kind));
        telling.map_or(Some(""), |variants| variants.each.get(at).copied().flatten())
    };
    mentions.iter().enumerate().map(of).collect()
}

/// Returns whether words refer to a transformation that they do not deny.
fn says_transformation(lower: &str) -> bool {
    const DENIALS: [&str; 7] = ["no ", "not ", "without ", "rather than ", "instead of ", "denies ", "against "];
    const REACH: usize = 24;
    places_of(lower, "transform").any(|at| {
        let from = (at.saturating_sub(REACH)..=at).find(|from| lower.is_char_boundary(*from)).unwrap_or(at);
        let before = lower.get(from..at).and_then(|before| before.rsplit(['.', ';', '\n']).next()).unwrap_or_default();
        !DENIALS.iter().any(|denial| before.contains(denial))
    })
}

/// What may distinguish tumours of one kind, for each mention.
struct Variants {
    each: Vec<Option<&'static str>>,
    /// The kinds with more than one variant.
    differing: HashSet<&'static str>,
}

impl Variants {
    fn of(mentions: &[TumourMention], variant: impl Fn(&TumourMention) -> Option<&'static str>) -> Self {
        let each: Vec<Option<&'static str>> = mentions.iter().map(variant).collect();
        let (mut first, mut differing) = (HashMap::new(), HashSet::new());
        for (mention, variant) in mentions.iter().zip(&each) {
            if variant.is_some() && first.entry(mention.kind).or_insert(*variant) != variant {
                differing.insert(mention.kind);
            }
        }
        Self { each, differing }
    }
}

/// Returns whether one of these words is shortly before or after a name.
fn stands_beside(lower: &str, name: &Range<usize>, list: &[&str]) -> bool {
    let from = (name.start.saturating_sub(SIDE_BEFORE)..=name.start).find(|at| lower.is_char_boundary(*at));
    let to = (name.end..=lower.len().min(name.end + SIDE_BEFORE)).rev().find(|at| lower.is_char_boundary(*at));
    let words = from.zip(to).and_then(|(from, to)| lower.get(from..to)).unwrap_or_default();
    list.iter().any(|word| words.contains(word))
}

/// Returns the words of a name with those directly after it: "carcinoma of the sigmoid colon".
fn named_in<'t>(lower: &'t str, name: &Range<usize>) -> &'t str {
    let to = (name.end..=lower.len().min(name.end + SIDE_BEFORE)).rev().find(|at| lower.is_char_boundary(*at));
    let words = lower.get(name.start..to.unwrap_or(name.end)).unwrap_or_default();
    words.split(['.', ';', ',', '\n', '(', ':']).next().unwrap_or_default()
}

/// Returns the side before a name or in it: "left breast: invasive", "cancer of the left breast".
fn side(lower: &str, name: &Range<usize>) -> Option<&'static str> {
    let from = (name.start.saturating_sub(SIDE_BEFORE)..=name.start).find(|at| lower.is_char_boundary(*at))?;
    let before = lower.get(from..name.start)?.rsplit(['.', ';', '\n']).next()?;
    let sides = |words: &str| {
        let last = ["left", "right"].into_iter().filter_map(|side| Some((words.rfind(side)?, side)));
        last.max().map(|(_, side)| side)
    };
    // "Lt breast IDC".
    let short = |words: &str| match words.trim_end().rsplit(' ').nth(1)?.trim_start_matches('(') {
        "lt" => Some("left"),
        "rt" => Some("right"),
        _ => None,
    };
    sides(named_in(lower, name)).or_else(|| sides(before)).or_else(|| short(before))
}

fn part(name: &str) -> Option<&'static str> {
    PARTS.into_iter().find(|part| name.contains(part))
}

/// Returns the histology that a name in lower case says, if it is one that distinguishes tumours of one organ.
pub(crate) fn histology(name: &str) -> Option<&'static str> {
    if name.contains("non-small cell") || name.contains("nonsmall cell") {
        return None; // It may be any of several.
    }
    HISTOLOGIES.into_iter().find(|histology| name.contains(histology))
}
