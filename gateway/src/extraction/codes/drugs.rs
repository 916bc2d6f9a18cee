//! Codes of drugs: `DrugBank`'s open vocabulary.
//!
//! A value gets codes if it consists only of treatments of the list, joined by commas, slashes, plus signs and words
//! such as "and", with plain words of setting, dose and time. Regimens, operations and radiotherapy have no code; a
//! drug beside them keeps its own. A value with a negation or any other word gets no code.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{
    code::{Code, CodeBasis, CodeSystem},
    fold::fold,
    list::{code, names, rows, same_basis},
};
use crate::{extraction::table::Table, statics::pattern};

pub(super) const LIST: &str = include_str!("drugs.txt");

/// A drug with the basis of its code for one name.
type Match = (&'static str, &'static str, CodeBasis);

static NAMES: LazyLock<Table<String, Match>> = LazyLock::new(|| {
    let mut map = Table::default();
    for [id, display, same, broader] in rows(LIST) {
        map.extend(names(same).map(|name| (fold(name), (id, display, same_basis(name, display)))));
        map.extend(names(broader).map(|name| (fold(name), (id, display, CodeBasis::Broader))));
    }
    map
});

/// The separators between the drugs of a value.
static JOINER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\s*(?:,|/|\+|→|->)\s*|\s+(?:and then|and|plus|with|then|followed by|in combination with)\s+")
});

/// A text in brackets.
static BRACKET: LazyLock<Regex> = LazyLock::new(|| pattern(r"\s*\(([^()]*)\)"));

/// A number, with the letter of a count of cycles: "80", "x4", "6x", "1.5".
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?:x?[0-9]+(?:\.[0-9]+)?x?|q[0-9]+[wdh]|[0-9]+(?:mg|g|mcg))$"));

/// Plain words of setting, dose and time. They do not change the drug.
const PLAIN: &str = "\
    1st 2nd 3rd adjuvant agent and auc bid biweekly bolus chemo chemotherapy combination combined concomitant \
    concurrent consolidation continued continuous course courses current currently cycle cycles daily day days \
    definitive dense dose every first for full g high immunotherapy induction infusional initial initially \
    intrathecal intravenous intravesical iv kg later line low m2 maintenance mcg mg monotherapy month monthly \
    months neoadjuvant of ongoing oral palliative perioperative planned postoperative preoperative previous \
    previously prior qd reduced regimen salvage second single subsequent targeted then therapy third topical \
    treatment week weekly weeks";

static PLAIN_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| PLAIN.split(' ').collect());

/// Builds the table before a value needs it.
pub(super) fn compile() {
    LazyLock::force(&NAMES);
    LazyLock::force(&JOINER);
    LazyLock::force(&BRACKET);
    LazyLock::force(&NUMBER);
}

/// Returns the codes of the drugs in a value.
pub(super) fn codes(value: &str) -> Vec<Code> {
    // Some names contain what joins drugs in other values.
    match NAMES.get(&fold(value)) {
        Some((id, display, basis)) if *id != "-" => vec![code(CodeSystem::DrugBank, id, display, *basis)],
        _ => drugs(value).unwrap_or_default(),
    }
}

/// Returns the drugs of a value; `None` if it names anything else than treatments.
fn drugs(value: &str) -> Option<Vec<Code>> {
    let outside = BRACKET.replace_all(value, "");
    if outside.contains(['(', ')']) {
        return None;
    }
    let mut found: Vec<Code> = Vec::new();
    for piece in JOINER.split(&outside) {
        match Piece::of(piece) {
            Piece::Coded((id, display, basis)) if !found.iter().any(|earlier| earlier.code == id) => {
                found.push(code(CodeSystem::DrugBank, id, display, basis));
            }
            Piece::Coded(_) | Piece::Uncoded => {}
            Piece::Unknown => return None,
        }
    }
    // A bracket may repeat a drug of the value, and must not name another one.
    let brackets = BRACKET.captures_iter(value).filter_map(|captures| captures.get(1));
    let allowed = brackets.flat_map(|bracket| JOINER.split(bracket.as_str())).all(|piece| match Piece::of(piece) {
        Piece::Coded((id, ..)) => found.iter().any(|drug| drug.code == id),
        Piece::Uncoded => true,
        Piece::Unknown => false,
    });
    allowed.then_some(found)
}

/// What a piece of a value names.
enum Piece {
    /// A drug.
    Coded(Match),
    /// A treatment without a code, or plain words only.
    Uncoded,
    /// Anything else.
    Unknown,
}

impl Piece {
    fn of(piece: &str) -> Self {
        let folded = fold(piece);
        let is_plain = |word: &&str| PLAIN_WORDS.contains(word) || NUMBER.is_match(word);
        let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty() && !is_plain(word)).collect();
        match NAMES.get(&folded).or_else(|| NAMES.get(&words.join(" "))) {
            Some((id, ..)) if *id == "-" => Self::Uncoded,
            Some(found) => Self::Coded(*found),
            None if words.is_empty() => Self::Uncoded,
            None => Self::Unknown,
        }
    }
}
