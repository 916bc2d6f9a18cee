//! Decides between two meanings: an acronym that is also an ordinary abbreviation ("AC joint", "APR 2023", "PCI with
//! stent"), and a drug that the note gives for another disease ("methotrexate for psoriasis").
//!
//! The words are data: `lexicons/meanings.txt` and `lexicons/other_diseases.txt`.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use super::{
    folded::FoldedNote,
    lexicon::{Mention, TermKind},
    view::NoteView,
};
use crate::steps;

/// Bytes before and after an acronym in which a word shows the other meaning.
const BESIDE: usize = 24;
/// Bytes before and after an acronym in which a word shows its own meaning.
const NEAR: usize = 90;
/// Words of a systemic treatment.
const SYSTEMIC: [&str; 30] = [
    "chemo",
    "cycle",
    "regimen",
    "received",
    "treated",
    "treatment",
    "therapy",
    "induction",
    "consolidation",
    "salvage",
    "adjuvant",
    "neoadjuvant",
    "conditioning",
    "started",
    "completed",
    "given",
    "followed by",
    "then",
    "line",
    "transplant",
    "course",
    "response",
    "remission",
    "relapse",
    "refractory",
    "protocol",
    "c1",
    "day 1",
    "plus",
    "rituximab",
];

/// What the words around an acronym say about its meaning.
#[derive(Debug, Default)]
struct AcronymMeaning {
    /// Words beside it that show the other meaning.
    other: Vec<String>,
    /// Words of which one must be near; empty if none is needed.
    own: Vec<String>,
    /// Whether a word of a systemic treatment must be near.
    systemic: bool,
}

static MEANINGS: LazyLock<HashMap<(&'static str, &'static str), AcronymMeaning>> = LazyLock::new(meanings);
static OTHER_DISEASES: LazyLock<Vec<String>> =
    LazyLock::new(|| lines(include_str!("lexicons/other_diseases.txt")).flat_map(words).collect());

fn meanings() -> HashMap<(&'static str, &'static str), AcronymMeaning> {
    let mut meanings = HashMap::new();
    for line in lines(include_str!("lexicons/meanings.txt")) {
        let mut columns = line.split('|').map(str::trim);
        let mut column = || columns.next().unwrap_or_default();
        let (list, acronyms, other, own) = (column(), column(), column(), column());
        for acronym in acronyms.split(',').map(str::trim) {
            let systemic = own == "@systemic";
            let own = if systemic { Vec::new() } else { words(own).collect() };
            meanings.insert((list, acronym), AcronymMeaning { other: words(other).collect(), own, systemic });
        }
    }
    meanings
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).filter(|line| !line.is_empty())
}

fn words(list: &'static str) -> impl Iterator<Item = String> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(|word| FoldedNote::of(word).as_str().to_owned())
}

/// Returns whether the words beside an acronym show that it means something else. The absence of words that show its
/// own meaning is not a proof.
pub(crate) fn shows_another(view: &NoteView<'_>, mention: &Mention) -> bool {
    if mention.term.kind == TermKind::Spread {
        return is_exercise(view, mention);
    }
    let Some(list) = list_of(mention) else { return false };
    MEANINGS.get(&(list, mention.term.spelled)).is_some_and(|meaning| is_beside_other(view, mention, meaning))
}

/// Returns whether an acronym without other signs of a malignancy is a code, a dose or a result ("HCC 18", "AML 5 mg"),
/// or only a question ("HCC?", "query CLL", "RCC vs oncocytoma", "5 % risk of AML").
pub(super) fn is_counted_or_doubted(view: &NoteView<'_>, mention: &Mention) -> bool {
    const DOUBTS_BEFORE: [&str; 6] = ["?", "query ", "vs ", "versus ", "risk ", "risk of "];
    const DOUBTS_AFTER: [&str; 6] = ["?", " vs", " versus", " risk", " query", " or "];
    let (before, after) = (view.folded.before(mention.range.start, 12), view.folded.after(mention.range.end, 12));
    let number =
        after.trim_start_matches([' ', ':', '=']).split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let is_year = number.len() == 4;
    (!number.is_empty() && !is_year)
        || DOUBTS_BEFORE.iter().any(|doubt| before.ends_with(doubt))
        || DOUBTS_AFTER.iter().any(|doubt| after.starts_with(doubt))
}

/// Returns the list of `lexicons/meanings.txt` that a term belongs to.
fn list_of(mention: &Mention) -> Option<&'static str> {
    match mention.term.kind {
        TermKind::Treatment => Some("treatment"),
        TermKind::Marker => Some("marker"),
        TermKind::Gene => Some("gene"),
        TermKind::Cancer => Some("cancer"),
        _ => None,
    }
}

/// Returns whether a word beside an acronym shows its other meaning.
fn is_beside_other(view: &NoteView<'_>, mention: &Mention, meaning: &AcronymMeaning) -> bool {
    // Not the sentence, because a heading ("ROS:") is a sentence by itself.
    let before = view.folded.before(mention.range.start, BESIDE);
    let before = before.rsplit(['\n', ';']).next().unwrap_or_default();
    let before = before.rsplit(". ").next().unwrap_or_default();
    let after = view.folded.after(mention.range.end, BESIDE);
    let after = after.split(['\n', ';']).next().unwrap_or_default();
    let after = after.split(". ").next().unwrap_or_default();
    meaning.other.iter().any(|word| begins_word(before, word) || begins_word(after, word))
}

/// Returns whether the words around an acronym show that it means something else, or do not show that it means this.
pub(crate) fn is_another(view: &NoteView<'_>, mention: &Mention) -> bool {
    if mention.term.kind == TermKind::Spread {
        return is_exercise(view, mention);
    }
    let Some(list) = list_of(mention) else { return false };
    if is_date_or_measure(view, mention) || is_of_right_side(view, mention) {
        return true;
    }
    let Some(meaning) = MEANINGS.get(&(list, mention.term.spelled)) else { return false };
    if is_beside_other(view, mention, meaning) {
        return true;
    }
    let near = view.around(&mention.range, NEAR, NEAR);
    let sides = [near.start..mention.range.start, mention.range.end..near.end];
    if meaning.systemic {
        let shown = sides.iter().any(|side| has_any(view, side, &SYSTEMIC));
        return !(shown || is_counted(view, mention) || is_beside_drug(view, mention, &near));
    }
    !meaning.own.is_empty() && !sides.iter().any(|side| has_any(view, side, &meaning.own))
}

/// Returns whether "METs" are metabolic equivalents of exercise: "4 METs", "achieved 5 METS on the treadmill". A count
/// of metastases is written in lower case or names no exercise.
fn is_exercise(view: &NoteView<'_>, mention: &Mention) -> bool {
    const EXERCISE: [&str; 6] = ["exercise", "treadmill", "workload", "bruce", "stress", "functional"];
    if mention.term.spelled != "mets" {
        return false;
    }
    let before = view.folded.before(mention.range.start, 4).trim_end();
    let after = view.folded.after(mention.range.end, 2).trim_start();
    let counted = before.ends_with(|c: char| c.is_ascii_digit()) || after.starts_with(|c: char| c.is_ascii_digit());
    let near = view.around(&mention.range, 30, 30);
    counted && (view.folded.quote(&mention.range) == "METs" || has_any(view, &near, &EXERCISE))
}

/// Returns whether a number before the acronym makes it a month or a unit: "12 APR 2023", "a 4 MM nodule".
fn is_date_or_measure(view: &NoteView<'_>, mention: &Mention) -> bool {
    matches!(mention.term.spelled, "APR" | "MM")
        && view
            .folded
            .before(mention.range.start, 4)
            .trim_end_matches([' ', '-'])
            .ends_with(|c: char| c.is_ascii_digit())
}

/// Returns whether "RT" is the right side of an organ: "RT BREAST", "RT lower lobe".
fn is_of_right_side(view: &NoteView<'_>, mention: &Mention) -> bool {
    if mention.term.spelled != "RT" {
        return false;
    }
    let next = view.terms_in(TermKind::Site, &(mention.range.end..mention.range.end + 40)).first();
    let word = view.folded.after(mention.range.end, 10).trim_start();
    next.is_some_and(|site| view.folded.slice(mention.range.end..site.range.start) == " ")
        || ["upper", "lower", "middle", "side", "arm", "leg", "hand", "knee"].iter().any(|part| word.starts_with(part))
}

/// Returns whether a stretch has one of these words, from the beginning of a word.
fn has_any(view: &NoteView<'_>, stretch: &Range<usize>, words: &[impl AsRef<str>]) -> bool {
    let text = view.folded.slice(stretch.clone());
    steps::count(text.len());
    words.iter().any(|word| begins_word(text, word.as_ref()))
}

/// Returns whether a word begins somewhere in the text. A word of two or three letters must also end there.
fn begins_word(text: &str, word: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| text.as_bytes().get(before));
        let after = text.as_bytes().get(at + word.len());
        !is_part(before) && (word.len() > 3 || !is_part(after))
    })
}

/// Returns whether a number of cycles follows: "VAC x 6", "ICE x3".
fn is_counted(view: &NoteView<'_>, mention: &Mention) -> bool {
    let after = view.folded.after(mention.range.end, 5).trim_start();
    after.strip_prefix('x').is_some_and(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_digit()))
}

/// Returns whether a treatment with one meaning is near.
fn is_beside_drug(view: &NoteView<'_>, mention: &Mention, near: &Range<usize>) -> bool {
    view.terms_in(TermKind::Treatment, near).iter().any(|other| {
        other.range != mention.range
            && other.term.is("onco")
            && !MEANINGS.contains_key(&("treatment", other.term.spelled))
    })
}

/// Returns whether the note gives a drug for another disease: "rituximab for rheumatoid arthritis", "psoriasis on
/// methotrexate", "BCG vaccination".
pub(crate) fn is_for_other_disease(view: &NoteView<'_>, mention: &Mention) -> bool {
    if !mention.term.is("drug") && !mention.term.is("radiation") {
        return false;
    }
    let reach = view.around(&mention.range, 60, 70);
    let after = view.folded.slice(mention.range.end..reach.end);
    let clause = after.split([';', '\n']).next().unwrap_or_default();
    let reason = ["for ", "to treat ", "to control ", "vaccin"]
        .iter()
        .find_map(|word| {
            clause.match_indices(word).find(|(at, _)| *at == 0 || clause.as_bytes().get(at - 1) == Some(&b' '))
        })
        .map(|(at, _)| mention.range.end + at);
    // "Pembrolizumab stopped for hepatitis", "letrozole, alendronate for osteoporosis", "carboplatin with ondansetron for
    // nausea": the reason is that of the stop, or of another drug.
    let parts =
        [",", " with ", " and ", "stop", "held", "hold", "discontinu", "chang", "switch", "ceas", "withdr", "paus"];
    let is_own = |at: &usize| {
        let between = view.folded.slice(mention.range.end..*at);
        !parts.iter().any(|part| between.contains(part))
    };
    if let Some(at) = reason.filter(is_own) {
        let end = (at + 44).min(reach.end);
        let cancer = !view.terms_in(TermKind::Cancer, &(at..end)).is_empty();
        let word = view.folded.slice(at..end);
        let word = word.split([',', ';', '.']).next().unwrap_or_default();
        if !cancer && names_other_disease(word) {
            return true;
        }
    }
    if !mention.term.is("other") {
        return false;
    }
    let before = view.folded.slice(reach.start..mention.range.start);
    let clause = before.rsplit(['.', ';', '\n']).next().unwrap_or_default();
    let tied = [" on", " with", " taking", " receiving", " using", ":", " (", " by", " takes"]
        .iter()
        .any(|word| clause.trim_end().ends_with(word.trim_end()))
        || clause.ends_with(" (");
    let start = mention.range.start - clause.len();
    let cancer = !view.terms_in(TermKind::Cancer, &(start..mention.range.start)).is_empty();
    tied && !cancer && names_other_disease(clause)
}

fn names_other_disease(text: &str) -> bool {
    steps::count(text.len());
    OTHER_DISEASES.iter().any(|disease| begins_word(text, disease))
}

/// Returns whether the note spells out the other meaning of an acronym, or calls what it names benign: "right renal
/// angiomyolipoma ... benign AML".
pub(super) fn is_spelled_otherwise(view: &NoteView<'_>, mention: &Mention) -> bool {
    const SPELLED: [(&str, &str); 2] = [("aml", "angiomyolipoma"), ("mcl", "collateral ligament")];
    let acronym = view.folded.slice(mention.range.clone());
    let spelled = SPELLED.iter().any(|(short, words)| *short == acronym && view.folded.contains(words));
    spelled || view.folded.before(mention.range.start, 7).ends_with("benign ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str, kind: TermKind) -> (bool, bool) {
        let view = NoteView::of(text);
        let mention = view.terms(kind).first().unwrap();
        (is_another(&view, mention), is_for_other_disease(&view, mention))
    }

    #[test]
    fn acronyms_count_only_in_a_context_of_their_kind() {
        for (text, kind, another) in [
            ("AC joint arthritis", TermKind::Treatment, true),
            ("dose-dense: AC followed by paclitaxel", TermKind::Treatment, false),
            ("AC x 4", TermKind::Treatment, false),
            ("Vitals: MAP 85.", TermKind::Treatment, true),
            ("He received MAP for osteosarcoma", TermKind::Treatment, false),
            ("CVP 8 mmHg", TermKind::Treatment, true),
            ("six cycles of CVP", TermKind::Treatment, false),
            ("ICE PACKS FOR THE ANKLE", TermKind::Treatment, true),
            ("R-CHOP, at relapse ICE x3", TermKind::Treatment, false),
            ("PICC with VAC dressing", TermKind::Treatment, true),
            ("VAC chemotherapy for rhabdomyosarcoma", TermKind::Treatment, false),
            ("on TAC 2 mg BID", TermKind::Treatment, true),
            ("CAD s/p PCI 2015", TermKind::Treatment, true),
            ("limited-stage SCLC, PCI given", TermKind::Treatment, false),
            ("RT-PCR of the virus", TermKind::Treatment, true),
            ("RT BREAST, LUMPECTOMY", TermKind::Treatment, true),
            ("adjuvant RT 50 Gy", TermKind::Treatment, false),
            ("seen 12 APR 2023", TermKind::Treatment, true),
            ("APR for rectal cancer", TermKind::Treatment, false),
            ("CRS grade 2 after CAR-T", TermKind::Treatment, true),
            ("went to the ER", TermKind::Marker, true),
            ("ER 90%", TermKind::Marker, false),
            ("PR interval 180 msec", TermKind::Marker, true),
            ("PR negative", TermKind::Marker, false),
            ("moderate AR, positive bubble study", TermKind::Marker, true),
            ("AR positive", TermKind::Marker, false),
            ("carotid stenosis, s/p left CEA", TermKind::Marker, true),
            ("CEA 12 ng/mL", TermKind::Marker, false),
            ("He achieved 5 METS on the treadmill", TermKind::Spread, true),
            ("exercise tolerance above 4 mets", TermKind::Spread, true),
            ("3 brain mets on MRI", TermKind::Spread, false),
            ("liver mets, progressing", TermKind::Spread, false),
            ("able to do 4 METs", TermKind::Spread, true),
            ("able to resect 3 mets", TermKind::Spread, false),
            ("stress echo; liver mets", TermKind::Spread, false),
            ("ROS: positive for fatigue", TermKind::Gene, true),
            ("ROS rearrangement", TermKind::Gene, false),
            ("a 4 MM nodule", TermKind::Cancer, true),
            ("MM, IgG kappa", TermKind::Cancer, false),
            ("MCL sprain", TermKind::Cancer, true),
        ] {
            assert_eq!(first(text, kind).0, another, "{text}");
        }
    }

    #[test]
    fn drugs_for_other_diseases_are_told() {
        for (text, other) in [
            ("Rituximab for rheumatoid arthritis.", true),
            ("Rituximab 1 g was started for vasculitis.", true),
            ("Pembrolizumab stopped for autoimmune hepatitis.", false),
            ("Docetaxel with dexamethasone for nausea.", false),
            ("Letrozole, amlodipine, alendronic acid for osteoporosis.", false),
            ("Tamoxifen stopped for menopausal symptoms.", false),
            ("methotrexate 15 mg weekly for psoriasis", true),
            ("psoriatic arthritis on methotrexate", true),
            ("lupus, controlled with cyclophosphamide", true),
            ("BCG vaccination in childhood", true),
            ("aflibercept injections for macular degeneration", true),
            ("everolimus after kidney transplant for rejection", true),
            ("methotrexate for CNS lymphoma", false),
            ("rituximab for follicular lymphoma", false),
            ("intravesical BCG for bladder cancer", false),
            ("carboplatin for 6 cycles", false),
            ("lymphoma treated with rituximab", false),
        ] {
            assert_eq!(first(text, TermKind::Treatment).1, other, "{text}");
        }
    }
}
