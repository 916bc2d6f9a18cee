//! Stage: as stated, or as metastatic or regional wording implies it; TNM where the note has no group.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{cancer::Diagnosis, sites::Spread, view::View};
use crate::extraction::{Assertion, Field};

/// After the word "stage".
static GROUP: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(GROUP_PATTERN).ok());
const GROUP_PATTERN: &str = r"^(?:d|s|ing)?(?: ?(?:group|grouping|disease|was|is|of|as|at|the|to|be|consistent|with|clinical|clinically|pathologic|pathological|pathologically|ajcc|figo|tnm|ann arbor|lugano|iss|revised|overall|final|anatomic|prognostic|listed|documented|reported|recorded|8th|7th|edition|:|=|,|\(|-|\||\n))*[ (|]*(iv|iii|ii|i|[0-4])(?: ?[-/]?(?:([abc])([1-4])?))?(?-u:\b)";

/// Tumour, node, metastasis; looked for once in the whole note.
static TNM: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(TNM_PATTERN).ok());
const TNM_PATTERN: &str = r"(?-u:\b)((?:y?[cpr]|y)?t(?:[0-4][a-d]?|is|x)(?: ?\([a-z0-9]+\))?)(?:(?:[ ,/]{0,2}|, ?)((?:[cpy]{1,2})?n(?:[0-3][a-c]?|x)(?: ?\([a-z0-9+-]+\))?))?(?:[ ,/]{0,2}((?:[cp])?m(?:[01x][a-c]?)))?(?-u:\b)";

/// Reads the stage.
pub(crate) fn read(view: &View<'_>, diagnosis: &Diagnosis, spread: &Spread, stated: Option<String>) -> Option<String> {
    let belly = ["peritoneum", "omentum", "pelvis", "mesentery", "diaphragm", "abdomen"];
    let ovarian = diagnosis.organ == Some("ovary");
    let beyond_belly = spread.sites.any(|site| !belly.contains(&site) && !site.contains("lymph nodes"));
    // Implants in the belly are stage III of an ovarian tumour, and no reason to overrule a stated III.
    let distant = spread.distant && beyond_belly
        || spread.metastatic && (!ovarian && stated.is_none() || spread.says_metastatic && !ovarian)
        || spread.distant && stated.is_none() && !ovarian;
    if ovarian && !distant && stated.is_none() && spread.sites.any(|site| belly.contains(&site)) {
        return Some("IIIC".to_owned());
    }
    if diagnosis.organ == Some("brain") && stated.is_none() {
        return ["who grade iv", "who grade 4", "grade iv glioblastoma"]
            .iter()
            .any(|grade| view.folded.as_str().contains(grade))
            .then(|| "IV".to_owned());
    }
    let solid = !diagnosis.haematologic;
    let tnm = tnm(view);
    let m1 = tnm.as_ref().is_some_and(|tnm| tnm.m1);
    if solid && (distant || m1) {
        // A stage of the time of diagnosis gives way to the metastatic disease of now.
        return Some(stated.filter(|stage| stage.starts_with("IV")).unwrap_or_else(|| "IV".to_owned()));
    }
    stated
        .or_else(|| extent(view).map(str::to_owned))
        .or_else(|| tnm.as_ref().and_then(|tnm| tnm.group(diagnosis.organ)).map(str::to_owned))
        .or_else(|| (solid && spread.regional).then(|| "III".to_owned()))
        .or_else(|| tnm.map(|tnm| tnm.text))
}

/// The highest stage group that the note states, the first of equals.
pub(crate) fn stated(view: &View<'_>) -> Option<String> {
    let pattern = GROUP.as_ref()?;
    let mut best: Option<(usize, String)> = None;
    for (at, word) in view
        .folded
        .as_str()
        .match_indices("stage")
        .chain(view.folded.as_str().match_indices("figo"))
        .chain(view.folded.as_str().match_indices("staging"))
    {
        let whole = at..at + word.len();
        let bounded_left = !view.folded.before(at, 4).ends_with(|c: char| c.is_alphanumeric());
        // "stage" without its "e" so that "staging" reads alike.
        let after = view.folded.after(whole.end, 60);
        let Some(found) = pattern.captures(after).filter(|_| bounded_left) else { continue };
        let (Some(roman), Some(all)) = (found.get(1), found.get(0)) else { continue };
        let range = at..whole.end + all.end();
        if is_other_disease(view, &range) || !view.counts(&range, Field::Stage) {
            continue;
        }
        let level = match roman.as_str() {
            "iv" | "4" => "IV",
            "iii" | "3" => "III",
            "ii" | "2" => "II",
            "i" | "1" => "I",
            _ => "0",
        };
        let mut value = level.to_owned();
        if let Some(letter) = found.get(2) {
            value.push_str(&letter.as_str().to_ascii_uppercase());
            value.push_str(found.get(3).map_or("", |digit| digit.as_str()));
        }
        let rank = match level {
            "IV" => 4,
            "III" => 3,
            "II" => 2,
            "I" => 1,
            _ => 0,
        };
        let more = best.as_ref().is_none_or(|(own, text)| rank > *own || (rank == *own && value.len() > text.len()));
        if more {
            best = Some((rank, value));
        }
    }
    best.map(|(_, value)| value)
}

/// Stages of kidneys, ulcers, hearts and procedures.
fn is_other_disease(view: &View<'_>, range: &Range<usize>) -> bool {
    const OTHERS: [&str; 36] = [
        "kidney disease",
        "ckd",
        "chronic kidney",
        "renal",
        "ulcer",
        "decubitus",
        "heart failure",
        "hypertension",
        "htn",
        "fibrosis",
        "cirrhosis",
        "copd",
        "parkinson",
        "endometriosis",
        "sarcoid",
        "retinopathy",
        "lymphedema",
        "aki",
        "kidney injury",
        "pressure injur",
        "gout",
        "osteoarthritis",
        "dementia",
        "alzheimer",
        "prolapse",
        "procedure",
        "pressure",
        "sacral",
        "wound",
        "repair",
        "bronchopleural",
        "glaucoma",
        "rop",
        "gvhd",
        "palsy",
        "sleep",
    ];
    let after = view.folded.after(range.end, 28);
    let after = after.split(['.', ';', '\n']).next().unwrap_or_default();
    let before = view.folded.before(range.start, 26);
    let before = before.rsplit(['.', ';', '\n']).next().unwrap_or_default();
    before.trim_end().ends_with("end") || OTHERS.iter().any(|other| after.contains(other) || before.contains(other))
}

/// The two stages of small cell lung cancer.
fn extent(view: &View<'_>) -> Option<&'static str> {
    for (words, value) in [
        ("extensive stage", "extensive stage"),
        ("extensive disease small cell", "extensive stage"),
        ("es sclc", "extensive stage"),
        ("limited stage", "limited stage"),
        ("ls sclc", "limited stage"),
    ] {
        if let Some(at) = view.folded.as_str().find(words) {
            if view.counts(&(at..at + words.len()), Field::Stage) {
                return Some(value);
            }
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
    /// The stage group, where the three letters alone settle it.
    fn group(&self, organ: Option<&str>) -> Option<&'static str> {
        let node = self.n.is_some_and(|n| matches!(n, '1'..='3'));
        match (organ?, self.t?, node) {
            (_, _, _) if self.m1 => Some("IV"),
            ("colon" | "rectum", _, true) => Some("III"),
            ("colon" | "rectum", '3' | '4', false) if self.n == Some('0') => Some("II"),
            ("colon" | "rectum", '1' | '2', false) if self.n == Some('0') => Some("I"),
            ("skin", _, true) => Some("III"),
            ("prostate", '3' | '4', false) => Some("III"),
            ("breast", _, _) => self.breast(),
            _ => None,
        }
    }
}

impl Tnm {
    /// Anatomic stage group of breast cancer.
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

/// The last TNM formula that counts and has at least T and N, or else a pathological or clinical T.
fn tnm(view: &View<'_>) -> Option<Tnm> {
    let text = view.folded.as_str();
    let mut best: Option<Tnm> = None;
    for found in TNM.as_ref()?.captures_iter(text) {
        let (Some(all), Some(t)) = (found.get(0), found.get(1)) else { continue };
        let (n, m) = (found.get(2), found.get(3));
        let prefixed = t.as_str().starts_with(['p', 'c', 'y', 'r']);
        let range = all.range();
        let standing = view.assertion(&range, Field::Stage);
        // "T2" alone is as well a vertebra, a relaxation time or a troponin.
        if (n.is_none() && m.is_none() && !prefixed)
            || !(standing.in_record(Field::Stage) || standing == Assertion::Negated)
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
        if best.as_ref().is_none_or(|own| own.n.is_none() && tnm.n.is_some()) {
            best = Some(tnm);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        assert!(GROUP.is_some() && TNM.is_some());
    }
}
