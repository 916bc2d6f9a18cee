//! The results that follow a marker, and what they mean together: the word "overexpression", an equivocal stain and the
//! hybridisation after it, a result that belongs to something else.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{lexicon::Mention, view::NoteView};
use crate::statics::pattern;

/// A result after a marker. The pattern is anchored at the end of the marker and allows words in between.
static RESULT: LazyLock<Regex> = LazyLock::new(|| pattern(&[BEFORE_WORDS, WORD, BEHIND_WORDS].concat()));
/// One word between a marker and its result.
static WORD_BETWEEN: LazyLock<Regex> = LazyLock::new(|| pattern(WORD));

/// Maximum number of words and signs between a marker and its result. They are counted outside the pattern, which would
/// hold the list of words as many times.
const MOST_BETWEEN: usize = 18;

const WORD: &str = r"(?:[ :=,()~|\[\]]|\)-|- |(?-u:\b)(?:combined positive score|immunostains|immunostain|immunohistochemical|immunoperoxidase|immunoreactivity|stains|stained|nuclei|previously|ordered|and|studies|study|performed|adenocarcinoma|carcinoma|tumors|tumours|analysis|method|in situ|hybridization|hybridisation|overexpression|allred|very|are|expression|status|level|levels|index|tumor|tumour|proportion|score|combined|by|on|ihc|fish|ish|immunohistochemistry|immunostaining|staining|stain|was|is|were|of|at|the|reported|as|with|a|tps|cps|testing|test|tested|to|showed|shows|showing|demonstrated|demonstrates|demonstrating|revealed|returned|measured|receptor|receptors|approximately|about|around|mildly|markedly|significantly|initial|baseline|serum|preoperative|pretreatment|initially|diffusely|strongly|weakly|focally|strong|weak|diffuse|focal|moderate|found|noted|assessed|estimated|up|be|nuclear|gene|protein|rate|value|values|count|ic|tc|er|pr|22c3|sp263|sp142|28 8|clone|assay|dual|probe|percentage|proliferation|proliferative|labeling|labelling|cells|in|positivity|peaked|rose|increased|rising|currently|now|again|last|recent|low|remained|presentation|diagnosis)(?-u:\b))";
const BEFORE_WORDS: &str = r"^(?:(?P<plus>\+{1,3}(?:[^0-9a-z]|$)| ?\+ ?ve|[ :=]{0,3}\(\+{1,3}\)|[ :=]{1,3}\+{1,3}(?:[,;./)\n]|$))|(?P<minus>-(?:[^0-9a-z]|$)| ?- ?ve|[ :=]{0,3}\(-\)|[ :=]{1,3}-(?:[,;./)\n]|$))|(?P<gap>";
const BEHIND_WORDS: &str = concat!(
    r"*?)",
    r"(?:",
    r"(?P<percent>(?:(?:[<>≥≤~]|>=|<=|less than|greater than|more than|at least) ?)?[0-9]{1,3}(?:[.,][0-9]+)?(?: ?(?:-|to) ?[0-9]{1,3})? ?(?:%|percent))",
    r"|(?P<ihc>[0-3] ?\+(?:/3\+?)?|score (?:of )?[0-3]\+?(?-u:\b))",
    r"|(?:pos[ti]{2,5}ve|pos)[ (,:]{1,3}(?:(?:in|approximately|about|nearly|over|more than|greater than|up to|close to|at least) )?~?(?P<share>[<>]? ?[0-9]{1,3} ?%)",
    r"|(?P<positive>positive|pos[ti]{2,5}ve|detected|pos(?-u:\b)|overexpressed|overexpression|over expression|expressed)",
    r"|(?P<negative>negative|not detected|undetected|neg(?-u:\b)|not expressed|non amplified|nonamplified|not amplified|absent)",
    r"|(?P<equivocal>equivocal|indeterminate|borderline)",
    r"|(?P<amplified>amplified|amplification)",
    r"|(?:(?:elevated|raised|increased|high|rising|rose)(?:[ (,:=]|(?-u:\b)(?:at|to|of|was|with|a|level)(?-u:\b)){1,6})?(?P<number>(?:(?:[<>≥≤~]|>=|<=) ?)?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|(?:(?:[<>≥≤~]|>=|<=) ?)?[0-9]+(?:[.,][0-9]+)?)(?:(?P<unit> ?(?:ng/ml|ng/dl|µg/l|μg/l|ug/l|mcg/l|ng/l|pg/ml|u/ml|iu/ml|miu/ml|mu/ml|u/l|iu/l|ku/l|kiu/l|ku/ml|units/ml|units/l|mut(?:ation)?s?/mb|mutations? per megabase|mut(?:s|ations)? per mb|mg/l|miu/l))|(?-u:\b))",
    r"|(?P<raised>elevated|high(?-u:\b)|raised|rising|increased|rose)",
    r"|(?P<normal>normal(?:ized|ised|ization|isation)?|undetectable|within normal limits)",
    r"))",
);

/// Returns the result at the start of a text that follows a marker.
pub(super) fn result(text: &str) -> Option<Captures<'_>> {
    let found = RESULT.captures(text)?;
    let between = found.name("gap").map_or(0, |gap| WORD_BETWEEN.find_iter(gap.as_str()).count());
    (between <= MOST_BETWEEN).then_some(found)
}

pub(super) enum MarkerOutcome<'note> {
    Positive,
    Negative,
    Equivocal,
    Amplified,
    Percent(&'note str),
    Score(&'note str),
    Value(String),
    /// Elevated, with the value: "elevated at 250 U/mL".
    RaisedTo(String),
    Raised,
    Normal(&'note str),
}

/// Returns whether the result after HER2 is "equivocal".
pub(super) fn is_equivocal(view: &NoteView<'_>, marker: &Mention) -> bool {
    result(view.folded.after(marker.range.end, 110)).is_some_and(|found| {
        let score = found.name("ihc").is_some_and(|score| score.as_str().contains('2'));
        found.name("equivocal").is_some() || score
    })
}

/// Returns whether the result belongs to something else: "PR negative for blood" is an examination, and in "positive
/// for ER and negative for HER2" the last result is that of HER2.
pub(super) fn is_of_other(view: &NoteView<'_>, marker: &Mention, found: &regex::Captures<'_>, end: usize) -> bool {
    const OWN: [&str; 6] = ["tumor", "tumour", "cancer", "carcinoma", "malignan", "the tumor"];
    let result = found.name("positive").or_else(|| found.name("negative")).is_some();
    let after = view.folded.after(end, 24);
    result
        && after.strip_prefix(" for ").is_some_and(|thing| {
            let named = if marker.term.is("her2") { "her2" } else { view.folded.slice(marker.range.clone()) };
            !thing.starts_with(|c: char| c.is_ascii_digit())
                && !OWN.iter().any(|word| thing.starts_with(word))
                && !thing.starts_with(named)
        })
}

/// Returns the result that follows the word "overexpression", which names the question: "HER2 overexpression by FISH:
/// not amplified". Also returns the score after a weak result: "weakly positive (2+)".
pub(super) fn later_result<'v>(
    view: &NoteView<'v>,
    word: &str,
    end: usize,
    next: Option<usize>,
) -> Option<MarkerOutcome<'v>> {
    let after = view.folded.after(end, 48);
    if after.split([';', '\n']).next().is_some_and(|clause| clause.contains("(2+")) {
        return Some(MarkerOutcome::Equivocal);
    }
    if !matches!(word, "overexpression" | "over expression") {
        return None;
    }
    let found = result(view.folded.after(end, 70))?;
    if next.is_some_and(|next| next < end + found.get(0).map_or(0, |all| all.end())) {
        return None;
    }
    if found.name("negative").is_some() || found.name("minus").is_some() {
        Some(MarkerOutcome::Negative)
    } else if found.name("amplified").is_some() {
        Some(MarkerOutcome::Amplified)
    } else if found.name("equivocal").is_some() {
        Some(MarkerOutcome::Equivocal)
    } else {
        None
    }
}

/// Returns the result of the in situ hybridisation that follows an equivocal stain: "IHC 2+, FISH not amplified".
pub(super) fn by_fish<'v>(view: &NoteView<'_>, end: usize, next: Option<usize>) -> Option<MarkerOutcome<'v>> {
    let clause = view.folded.after(end, 60);
    let clause = clause.split(['\n', ';']).next().unwrap_or_default();
    let at = ["fish", "ish", "hybridi"].iter().find_map(|test| clause.find(test).map(|at| end + at + test.len()))?;
    let found = result(view.folded.after(at, 60))?;
    if next.is_some_and(|next| next < at + found.get(0).map_or(0, |all| all.end())) {
        None
    } else if found.name("negative").is_some() || found.name("minus").is_some() {
        Some(MarkerOutcome::Negative)
    } else if found.name("amplified").is_some() || found.name("positive").is_some() || found.name("plus").is_some() {
        Some(MarkerOutcome::Amplified)
    } else {
        None
    }
}

/// Returns whether a value is one of a panel of routine laboratory values, where it is not a tumour marker: "creatinine
/// 0.7 mg/dL, lactate dehydrogenase 295 IU/L".
pub(super) fn is_of_panel(view: &NoteView<'_>, marker: &Mention) -> bool {
    const OTHERS: [&str; 12] = [
        "aminotransferase",
        "alkaline phosphatase",
        "transpeptidase",
        "bilirubin",
        "creatinine",
        "hemoglobin",
        "haemoglobin",
        "platelet",
        "albumin",
        "sodium",
        "white blood",
        "uric acid",
    ];
    let before = view.near(&(marker.range.start..marker.range.start), 120, 0);
    let raised =
        ["elevated", "raised", "high"].iter().any(|word| view.folded.after(marker.range.end, 24).contains(word));
    !raised && OTHERS.iter().any(|other| before.contains(other))
}

/// Returns whether a number without a unit is a year: "CEA 2019" is an operation on the carotid artery.
pub(super) fn is_year(number: &str) -> bool {
    number.len() == 4
        && (number.starts_with("19") || number.starts_with("20"))
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Compiles the pattern before a note needs it.
pub(super) fn compile() {
    LazyLock::force(&RESULT);
    LazyLock::force(&WORD_BETWEEN);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_follows_within_eighteen_words_and_signs() {
        // "Is", a space, "is", a space, ...
        let after = |words: usize| format!(" {}positive", "is ".repeat(words));
        assert!(result(&after(8)).is_some(), "17 between");
        assert!(result(&after(9)).is_none(), "19 between");
        assert!(result(" by immunohistochemistry in situ (22c3): 60 %").is_some());
    }
}
