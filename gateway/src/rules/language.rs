//! Whether a note is in another language than English, by its little words. Names of drugs and many names of
//! tumours are alike everywhere; the words that deny them are not.

use std::{
    collections::{HashMap, VecDeque},
    sync::LazyLock,
};

/// Little words of Spanish, Portuguese, French, Italian, German and Dutch that English notes do not have.
const FOREIGN: &str = "el los las una con por sin para del paciente que se fue com uma sem nao dos pela foi le les des \
                       est une avec sous sans du patiente qui aux della il di che senza nel gli der das und mit \
                       ohne bei eine einer wurde nach zeigt unter vom zum het een met voor niet werd bij y de";
/// Little words of English.
const ENGLISH: &str = "the of and with to was is for no on has in were she he her his an are by from without that";
/// A phrase is no language; notes that leave out all little words have none of either.
const FEWEST: usize = 3;

/// Little words that are seldom abbreviations or words of an English note: for a look at parts of a note, where a few decide.
const PLAINLY_FOREIGN: &str = "por una paciente que uma sem nao pela foi les une avec sous patiente qui aux della che senza \
                               gli der und mit ohne bei eine einer wurde nach zeigt unter zum het een voor niet werd";
/// Words of oncology that English spells otherwise.
const FOREIGN_TERMS: &str = "lunge leber stadium knochen hirn brust magen darm estadio higado pulmon hueso cerebro \
                             tratamiento poumon foie stade traitement fegato polmone stadio ossa trattamento";
/// Within these words German terms stand: `Adenokarzinom`, `Lebermetastasen`.
const GERMAN_STEMS: [&str; 3] = ["karzinom", "metastasen", "metastasiert"];
/// A part of a note: so many words, a short sentence.
const PART: usize = 12;

/// Whether a part of the folded text is in another language: among [`PART`] words in a row, at least [`FEWEST`] that are
/// plainly foreign, of at least two kinds, and more than there are little words of English.
pub(crate) fn has_foreign_part(text: &str) -> bool {
    crate::steps::count(text.len());
    let kinds = &*KINDS;
    let mut part: VecDeque<Option<Kind>> = VecDeque::with_capacity(PART + 1);
    let (mut foreign, mut english) = (Vec::with_capacity(PART + 1), 0_usize);
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let stem = || GERMAN_STEMS.iter().position(|stem| word.contains(stem)).map(Kind::German);
        let kind = kinds.get(word).copied().or_else(stem);
        match kind {
            Some(Kind::English) => english += 1,
            Some(kind) => foreign.push(kind),
            None => {}
        }
        part.push_back(kind);
        if part.len() > PART {
            match part.pop_front().flatten() {
                Some(Kind::English) => english = english.saturating_sub(1),
                // In the order in which they came, so it is the first.
                Some(_) => drop(foreign.remove(0)),
                None => {}
            }
        }
        let several = foreign.first().is_some_and(|first| foreign.iter().any(|other| other != first));
        if foreign.len() >= FEWEST && foreign.len() > english && several {
            return true;
        }
    }
    false
}

/// What a word says of its language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    English,
    /// By its place in the lists.
    Foreign(usize),
    /// By the place of its stem.
    German(usize),
}

static KINDS: LazyLock<HashMap<&'static str, Kind>> = LazyLock::new(|| {
    let foreign = PLAINLY_FOREIGN.split_ascii_whitespace().chain(FOREIGN_TERMS.split_ascii_whitespace());
    let foreign = foreign.enumerate().map(|(at, word)| (word, Kind::Foreign(at)));
    foreign.chain(ENGLISH.split_ascii_whitespace().map(|word| (word, Kind::English))).collect()
});

/// Whether the folded text has more of the little words of other languages than of English.
pub(crate) fn is_foreign(text: &str) -> bool {
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(400);
    let count = |list: &str| words().filter(|word| super::view::is_one_of(list, word)).count();
    let foreign = count(FOREIGN);
    foreign >= FEWEST && foreign > count(ENGLISH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (text, expected) in [
            ("paciente con cancer de mama con metastasis en el higado, en tratamiento con trastuzumab", true),
            ("patientin mit lungenkarzinom und lebermetastasen, progress unter osimertinib", true),
            ("patiente suivie pour un cancer du sein avec des metastases hepatiques sous palbociclib", true),
            ("paziente con carcinoma del polmone, metastasi al fegato, in terapia con osimertinib", true),
            (
                "the patient has de novo metastatic breast cancer, en bloc resection, la paz hospital, con thalidomide",
                false,
            ),
            ("stage iv nsclc, egfr+. osimertinib. pr.", false),
            ("die", false),
            ("", false),
        ] {
            assert_eq!(is_foreign(text), expected, "{text}");
        }
    }

    #[test]
    fn a_part_in_another_language() {
        let english = "the patient was seen in the clinic for follow up of her disease and is doing well . ";
        for (part, expected) in [
            ("metastasiertem adenokarzinom der lunge, stadium iv, lebermetastasen", true),
            ("die patientin wurde mit osimertinib behandelt, ohne progress nach drei monaten", true),
            ("paciente con adenocarcinoma de pulmon, estadio iv, en tratamiento con osimertinib", true),
            ("carcinome du poumon stade iv avec metastases au foie, traitement par osimertinib", true),
            ("carcinoma del polmone, stadio iv, con metastasi al fegato, in trattamento con osimertinib", true),
            // What English notes have of it.
            (
                "de novo metastatic disease, en bloc resection, il-2, del(17p), met exon 14, los 3 days, gravida 2 para 2",
                false,
            ),
            ("karzinom karzinom karzinom", false),
            ("der der der der", false),
            ("seen at the mit, per se, sans symptoms, que sera", false),
        ] {
            for text in
                [part.to_owned(), format!("{}{part}", english.repeat(30)), format!("{part}. {}", english.repeat(30))]
            {
                assert_eq!(has_foreign_part(&text), expected, "{part}");
            }
        }
    }
}
