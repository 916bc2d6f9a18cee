//! Reads the stage: as stated, or as metastatic or regional wording implies it, or the TNM formula if the note has no
//! stage group.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{
    cancer::Diagnosis,
    sites::{Extent, Spread},
    view::NoteView,
};
use crate::{
    extraction::{Assertion, Field},
    statics::pattern,
};

/// A stage group after the word "stage".
static GROUP: LazyLock<Regex> = LazyLock::new(|| pattern(GROUP_PATTERN));
const GROUP_PATTERN: &str = r"^(?:d|s|ing)?(?: ?(?:group|grouping|disease|was|is|of|as|at|the|to|be|consistent|with|clinical|clinically|pathologic|pathological|pathologically|ajcc|figo|tnm|ann arbor|lugano|iss|revised|overall|final|anatomic|prognostic|listed|documented|reported|recorded|assigned|presentation|diagnosis|time|estimated|8th|7th|edition|:|=|,|\(|-|\||\n))*[ (|]*(iv|iii|ii|i|[0-4])(?: ?[-/]?(?:([abc])([1-4])?))?(?-u:\b)";

/// A TNM formula: tumour, node, metastasis. The whole note is searched once.
static TNM: LazyLock<Regex> = LazyLock::new(|| pattern(TNM_PATTERN));
const TNM_PATTERN: &str = r"(?-u:\b)((?:y?[cpr]|y)?t(?:[0-4][a-d]?|is|x)(?: ?\([a-z0-9]+\))?)(?:(?:[ ,/]{0,2}|, ?)((?:[cpy]{1,2})?n(?:[0-3][a-c]?|x)(?: ?\([a-z0-9+-]+\))?))?(?:[ ,/]{0,2}((?:[cp])?m(?:[01x][a-c]?)))?(?-u:\b)";

/// Reads the stage of a note; `stated` is the result of [`stated`].
pub(crate) fn read(
    view: &NoteView<'_>,
    diagnosis: &Diagnosis,
    spread: &Spread,
    stated: Option<String>,
) -> Option<String> {
    if diagnosis.haematologic {
        return stated;
    }
    if diagnosis.organ == Some("brain") {
        return stated.or_else(|| brain_grade(view));
    }
    let tnm = tnm(view);
    if is_distant(diagnosis, spread, stated.is_some()) || tnm.as_ref().is_some_and(|tnm| tnm.m1) {
        let two_stage = stated.or_else(|| extent(view).map(str::to_owned));
        return two_stage.or_else(|| (!is_not_given(view)).then(|| "IV".to_owned()));
    }
    stated
        .or_else(|| extent(view).map(str::to_owned))
        .or_else(|| {
            // An ovarian tumour with implants in the abdomen is stage III.
            let implants = diagnosis.organ == Some("ovary") && spread.extent >= Extent::Distant;
            implants.then(|| "IIIC".to_owned())
        })
        .or_else(|| tnm.as_ref().and_then(|tnm| tnm.group(diagnosis.organ)).map(str::to_owned))
        .or_else(|| {
            (spread.extent == Extent::Regional && !is_not_given(view)).then(|| regional(view, diagnosis).to_owned())
        })
        .or_else(|| tnm.map(|tnm| tnm.text))
}

/// Returns the stage of a locally advanced disease. A breast tumour that grows into the chest wall or skin is T4, and
/// so IIIB.
fn regional(view: &NoteView<'_>, diagnosis: &Diagnosis) -> &'static str {
    let text = view.folded.as_str();
    let t4 = ["chest wall involvement", "inflammatory breast", "inflammatory carcinoma", "skin involvement"];
    if diagnosis.organ == Some("breast") && t4.iter().any(|words| text.contains(words)) { "IIIB" } else { "III" }
}

/// Returns whether the note says that it gives no stage; then no stage is inferred.
fn is_not_given(view: &NoteView<'_>) -> bool {
    const WORDS: [&str; 7] =
        ["not recorded", "not documented", "not listed", "not provided", "not stated", "not document", "not specified"];
    let text = view.folded.as_str();
    let bare = ["no formal stag", "no formal ajcc", "no stage ", "no tnm", "no staging "];
    bare.iter().any(|words| text.contains(words))
        || text.match_indices("stag").any(|(at, word)| {
            let after = view.near(&(at..at + word.len()), 0, 50);
            WORDS.iter().any(|words| after.contains(words))
        })
}

/// Returns whether the extent of the disease means stage IV.
fn is_distant(diagnosis: &Diagnosis, spread: &Spread, stated: bool) -> bool {
    let ovarian = diagnosis.organ == Some("ovary");
    match spread.extent {
        Extent::Metastatic => !ovarian || spread.beyond_belly,
        Extent::Distant if stated || ovarian => spread.beyond_belly,
        Extent::Distant => true,
        Extent::Regional | Extent::Unknown => false,
    }
}

/// Returns the stage of a brain tumour. Brain tumours have a grade instead of a stage; WHO grade IV is recorded as
/// stage IV.
fn brain_grade(view: &NoteView<'_>) -> Option<String> {
    let text = view.folded.as_str();
    ["who grade iv", "who grade 4"].iter().any(|grade| text.contains(grade)).then(|| "IV".to_owned())
}

/// Returns the highest stage group that the note states. Of equal groups, the longest is preferred, then the first.
pub(crate) fn stated(view: &NoteView<'_>) -> Option<String> {
    let text = view.folded.as_str();
    let mut best: Option<(usize, String)> = None;
    for word in ["stage", "staging", "figo"] {
        for (at, _) in text.match_indices(word) {
            let Some((rank, value)) = group_at(view, at, word.len()) else { continue };
            let better = best
                .as_ref()
                .is_none_or(|(best_rank, text)| rank > *best_rank || rank == *best_rank && value.len() > text.len());
            if better {
                best = Some((rank, value));
            }
        }
    }
    best.map(|(_, value)| value)
}

/// Returns the stage group after the word at an offset, with its rank.
fn group_at(view: &NoteView<'_>, at: usize, length: usize) -> Option<(usize, String)> {
    if view.folded.before(at, 4).ends_with(char::is_alphanumeric) {
        return None;
    }
    let found = GROUP.captures(view.folded.after(at + length, 60))?;
    let range = at..at + length + found.get(0)?.end();
    if is_other_disease(view, &range) || !view.counts(&range, Field::Stage) {
        return None;
    }
    let (rank, level) = match found.get(1)?.as_str() {
        "iv" | "4" => (4, "IV"),
        "iii" | "3" => (3, "III"),
        "ii" | "2" => (2, "II"),
        "i" | "1" => (1, "I"),
        _ => (0, "0"),
    };
    let letter = found.get(2).map_or("", |letter| letter.as_str()).to_ascii_uppercase();
    Some((rank, format!("{level}{letter}{}", found.get(3).map_or("", |digit| digit.as_str()))))
}

/// Diseases that have stages but are not malignancies.
const OTHERS: &str = "kidney disease|ckd|chronic kidney|renal|ulcer|decubitus|heart failure|hypertension|htn|fibrosis|\
                      cirrhosis|copd|parkinson|endometriosis|sarcoid|retinopathy|lymphedema|aki|kidney injury|\
                      pressure|gout|osteoarthritis|dementia|alzheimer|prolapse|procedure|sacral|wound|repair|\
                      bronchopleural|glaucoma|gvhd|palsy|sleep|avascular|osteonecrosis|hoehn|avn|diastolic";

/// Returns whether a stage belongs to a disease of the kidneys, an ulcer, heart failure, a procedure or the like.
fn is_other_disease(view: &NoteView<'_>, range: &Range<usize>) -> bool {
    let after = view.folded.after(range.end, 28);
    let after = after.split(['.', ';', '\n', ',']).next().unwrap_or_default();
    let before = view.folded.before(range.start, 26);
    let before = before.rsplit(['.', ';', '\n', ',']).next().unwrap_or_default();
    let renal_cell = after.contains("renal cell") || before.contains("renal cell");
    before.trim_end().ends_with("end")
        || !renal_cell && OTHERS.split('|').any(|other| after.contains(other) || before.contains(other))
}

/// Returns the stage of small cell lung cancer, which has only two stages.
fn extent(view: &NoteView<'_>) -> Option<&'static str> {
    for (words, value) in [
        ("extensive stage", "extensive stage"),
        ("extensive disease small cell", "extensive stage"),
        ("es sclc", "extensive stage"),
        ("limited stage", "limited stage"),
        ("ls sclc", "limited stage"),
    ] {
        let at = view.folded.as_str().find(words);
        if at.is_some_and(|at| view.counts(&(at..at + words.len()), Field::Stage)) {
            return Some(value);
        }
    }
    None
}

/// A TNM formula.
struct Tnm {
    text: String,
    t: Option<char>,
    n: Option<char>,
    m1: bool,
}

impl Tnm {
    /// Returns the stage group if T, N and M alone determine it.
    fn group(&self, organ: Option<&str>) -> Option<&'static str> {
        let node = self.n.is_some_and(|n| matches!(n, '1'..='3'));
        match (organ?, self.t?, node) {
            (_, _, _) if self.m1 => Some("IV"),
            ("breast", _, _) => self.breast(),
            ("colon" | "rectum" | "skin" | "kidney" | "bladder", _, true)
            | ("prostate", '3' | '4', false)
            | ("kidney" | "bladder", '3', false) => Some("III"),
            ("colon" | "rectum", '3' | '4', false) if self.n == Some('0') => Some("II"),
            ("colon" | "rectum", '1' | '2', false) if self.n == Some('0') => Some("I"),
            ("kidney" | "bladder", '2', false) => Some("II"),
            ("kidney" | "bladder", '1', false) => Some("I"),
            _ => None,
        }
    }

    /// Returns the anatomic stage group of breast cancer.
    fn breast(&self) -> Option<&'static str> {
        match (self.t?, self.n?) {
            (_, '3') => Some("IIIC"),
            ('4', _) => Some("IIIB"),
            (_, '2') | ('3', '1') => Some("IIIA"),
            ('3', '0') | ('2', '1') => Some("IIB"),
            ('2', '0') | ('0' | '1', '1') => Some("IIA"),
            ('1', '0') => Some("I"),
            _ => None,
        }
    }
}

/// Returns whether the note gives T and N together, which only malignancies have.
pub(crate) fn names_formula(view: &NoteView<'_>) -> bool {
    tnm(view).is_some_and(|tnm| tnm.t.is_some_and(|t| t.is_ascii_digit()) && tnm.n.is_some_and(|n| n.is_ascii_digit()))
}

/// Returns the first TNM formula that counts and has an N category, or else the first formula that counts. A T category
/// alone counts only with a prefix such as pathological or clinical.
fn tnm(view: &NoteView<'_>) -> Option<Tnm> {
    let text = view.folded.as_str();
    let mut best: Option<Tnm> = None;
    for found in TNM.captures_iter(text) {
        let (Some(all), Some(t)) = (found.get(0), found.get(1)) else { continue };
        let (n, m) = (found.get(2), found.get(3));
        let prefixed = t.as_str().starts_with(['p', 'c', 'y', 'r']);
        let range = all.range();
        let assertion = view.assertion(&range, Field::Stage);
        // "T2" alone may also be a vertebra, a relaxation time or a troponin.
        if (n.is_none() && m.is_none() && !prefixed)
            || !(assertion.in_record(Field::Stage) || assertion == Assertion::Negated)
        {
            continue;
        }
        let digit = |part: Option<regex::Match<'_>>, letter: char| {
            let part = part?.as_str();
            part.chars().skip_while(|c| *c != letter).nth(1)
        };
        let tnm = Tnm {
            text: view.folded.quote(&range).to_owned(),
            t: digit(Some(t), 't'),
            n: digit(n, 'n'),
            m1: digit(m, 'm') == Some('1'),
        };
        if best.as_ref().is_none_or(|best| best.n.is_none() && tnm.n.is_some()) {
            best = Some(tnm);
        }
    }
    best
}

/// Compiles the patterns, so that the first note does not wait for them.
pub(crate) fn compile() {
    LazyLock::force(&GROUP);
    LazyLock::force(&TNM);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        compile();
    }

    #[test]
    fn stage_groups_are_read_from_many_wordings() {
        for (text, expected) in [
            ("stage IV disease", "IV"),
            ("Stage: IIIB", "IIIB"),
            ("stage 3a", "IIIA"),
            ("FIGO IIIC2", "IIIC2"),
            ("Stage III-B", "IIIB"),
            ("staged as IIA", "IIA"),
            ("AJCC 8th edition stage IB", "IB"),
            ("pathologic stage was II", "II"),
            ("Ann Arbor stage IV", "IV"),
            ("FIGO stage | IIIC", "IIIC"),
            ("stage 3 chronic kidney disease", ""),
            ("CKD stage 4", ""),
            ("stage IV sacral decubitus", ""),
            ("stage C heart failure", ""),
            ("end stage 4", ""),
            ("backstage 4", ""),
            ("no stage given", ""),
        ] {
            assert_eq!(stated(&NoteView::of(text)).unwrap_or_default(), expected, "{text}");
        }
    }

    #[test]
    fn tnm_formulas_are_found() {
        for (text, expected) in [
            ("pT3N1M0", "pT3N1M0"),
            ("cT4b N2 M1a", "cT4b N2 M1a"),
            ("T2N0", "T2N0"),
            ("pT3, pN1b", "pT3, pN1b"),
            ("ypT0 ypN0", "ypT0 ypN0"),
            ("T2 weighted images", ""),
            ("the T12 vertebra", ""),
        ] {
            assert_eq!(tnm(&NoteView::of(text)).map_or(String::new(), |tnm| tnm.text), expected, "{text}");
        }
    }
}
