//! Detects notes in other languages than English by their function words. Names of drugs and of many tumours are the
//! same in all these languages, but the words that negate them are not.

use std::{collections::VecDeque, ops::Range, sync::LazyLock};

use super::{table::Table, word_runs::words};

/// Function words of Spanish, Portuguese, French, Italian, German and Dutch that English notes do not have.
const FOREIGN: &str = "el los las una con por sin para del paciente que se fue com uma sem nao dos pela foi le les des \
                       est une avec sous sans du patiente qui aux della il di che senza nel gli der das und mit \
                       ohne bei eine einer wurde nach zeigt unter vom zum het een met voor niet werd bij y de";
/// Function words of English.
const ENGLISH: &str = "the of and with to was is for no on has in were she he her his an are by from without that";
/// Minimum number of foreign words: a single phrase does not show the language. Notes without function words count as
/// English.
const MIN_FOREIGN: usize = 3;

/// Function words that are rarely abbreviations or words of an English note. They serve to check parts of a note, where
/// a few words decide.
const PLAINLY_FOREIGN: &str = "por una paciente que uma sem nao pela foi les une avec sous patiente qui aux della che senza \
                               gli der und mit ohne bei eine einer wurde nach zeigt unter zum het een voor niet werd";
/// Words of oncology that English spells differently.
const FOREIGN_TERMS: &str = "lunge leber stadium knochen hirn brust magen darm estadio higado pulmon hueso cerebro \
                             tratamiento poumon foie stade traitement fegato polmone stadio ossa trattamento \
                             keine kein keinen geen nega niega aucun aucune abgelehnt erhalten bekommen kanker \
                             borstkanker longkanker darmkanker gekregen ontvangen uitzaaiingen behandeling krebs \
                             brustkrebs lungenkrebs darmkrebs metastase behandlung patientin mama mamario mamaria \
                             hepaticas hepatica hepaticos oseas osea pulmonares quimioterapia recibio rechazo \
                             metastasica metastasico sein hepatiques osseuses pulmonaires cerebrales chimiotherapie \
                             recu mammario mammella ossee epatiche polmonari cerebrali metastasi chemioterapia \
                             ricevuto rifiutato ossea osseas cancro recebeu recusou cáncer câncer metástasis \
                             metástases métastases métastatique hepáticas hepática hépatiques óseas cerebraux \
                             quimioterápia recibió rechazó reçu não";
/// Stems inside German compound words: `Adenokarzinom`, `Lebermetastasen`.
const GERMAN_STEMS: [&str; 3] = ["karzinom", "metastasen", "metastasiert"];
/// Number of words in a part of a note, about one short sentence.
const PART_WORDS: usize = 12;

/// Returns whether a part of the folded text is in another language. Among [`PART_WORDS`] consecutive words, at least
/// [`MIN_FOREIGN`] must be clearly foreign, two of these must differ, and they must outnumber the function words of
/// English.
pub(crate) fn has_foreign_part(text: &str) -> bool {
    crate::steps::count(text.len());
    foreign_windows(text).next().is_some()
}

/// Returns the ranges of a text in lower case that are in another language: a single range if the whole note is.
pub(super) fn foreign_ranges(text: &str) -> Vec<Range<usize>> {
    crate::steps::count(text.len());
    if is_foreign(text) || is_in_other_script(text) {
        return std::iter::once(0..text.len()).collect();
    }
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for window in foreign_windows(text) {
        match ranges.last_mut() {
            Some(last) if window.start <= last.end => last.end = window.end,
            _ => ranges.push(window),
        }
    }
    ranges
}

/// Returns whether more than a fifth of the letters belong to a script other than Latin. Single Greek letters stand in English notes.
fn is_in_other_script(text: &str) -> bool {
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    // Latin with its extensions ends at U+024F; U+1E00 to U+1EFF are Latin letters with diacritics.
    let other = letters().filter(|&c| c > '\u{24f}' && !('\u{1e00}'..='\u{1eff}').contains(&c)).count();
    other * 5 > letters().count()
}

/// Returns the ranges of all windows of [`PART_WORDS`] words that are in another language.
fn foreign_windows(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut part: VecDeque<(usize, Option<Kind>)> = VecDeque::with_capacity(PART_WORDS + 1);
    let (mut foreign, mut english): (Vec<Kind>, usize) = (Vec::with_capacity(PART_WORDS + 1), 0);
    // Hardly any note has a stem, and one search of the note costs less than one of each word.
    let has_stem = GERMAN_STEMS.iter().any(|stem| memchr::memmem::find(text.as_bytes(), stem.as_bytes()).is_some());
    words_of(text).filter_map(move |(start, word)| {
        let stem = || GERMAN_STEMS.iter().position(|stem| has_stem && word.contains(stem)).map(Kind::German);
        let kind = KINDS.get(word).copied().or_else(stem);
        match kind {
            Some(Kind::English) => english += 1,
            Some(kind) => foreign.push(kind),
            None => {}
        }
        part.push_back((start, kind));
        if part.len() > PART_WORDS {
            match part.pop_front().and_then(|(_, kind)| kind) {
                Some(Kind::English) => english = english.saturating_sub(1),
                // The foreign words are in the order of the text, so the oldest is the first.
                Some(_) => drop(foreign.remove(0)),
                None => {}
            }
        }
        let several = foreign.first().is_some_and(|first| foreign.iter().any(|other| other != first));
        let is_foreign = foreign.len() >= MIN_FOREIGN && foreign.len() > english && several;
        is_foreign.then(|| part.front().map_or(start, |(first, _)| *first)..start + word.len())
    })
}

/// Returns the words of a text with their offsets.
fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    words(text).filter_map(|word| Some((word.start, text.get(word)?)))
}

/// The language that a word indicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    English,
    /// A word of the lists of foreign words, by its index there.
    Foreign(usize),
    /// A word with a German stem, by the index of the stem.
    German(usize),
}

static KINDS: LazyLock<Table<&'static str, Kind>> = LazyLock::new(|| {
    let foreign = PLAINLY_FOREIGN.split_ascii_whitespace().chain(FOREIGN_TERMS.split_ascii_whitespace());
    let foreign = foreign.enumerate().map(|(at, word)| (word, Kind::Foreign(at)));
    foreign.chain(ENGLISH.split_ascii_whitespace().map(|word| (word, Kind::English))).collect()
});

/// The function words, each with whether it is of another language and whether it is of English.
static FUNCTION_WORDS: LazyLock<Table<&'static str, (bool, bool)>> = LazyLock::new(|| {
    let mut table: Table<&'static str, (bool, bool)> = Table::default();
    FOREIGN.split_ascii_whitespace().for_each(|word| table.entry(word).or_default().0 = true);
    ENGLISH.split_ascii_whitespace().for_each(|word| table.entry(word).or_default().1 = true);
    table
});

/// Returns whether the folded text has at least [`MIN_FOREIGN`] function words of other languages, and more of them
/// than of English. Checks only the first 400 words.
pub(crate) fn is_foreign(text: &str) -> bool {
    let (mut foreign, mut english) = (0, 0);
    for (_, word) in words_of(text).take(400) {
        if let Some((is_foreign, is_english)) = FUNCTION_WORDS.get(word) {
            foreign += usize::from(*is_foreign);
            english += usize::from(*is_english);
        }
    }
    foreign >= MIN_FOREIGN && foreign > english
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
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
    fn ranges_cover_the_foreign_part_only() {
        let text = "the patient was seen in the clinic. patientin mit karzinom der lunge, ohne metastasen. she is well \
                    and has no complaints; she was told to come back in the summer.";
        let ranges = foreign_ranges(text);
        let part = text.find("patientin").unwrap()..text.find("she is well").unwrap();
        assert!(ranges.iter().any(|range| range.start <= part.start + 40 && range.end > part.start + 10), "{ranges:?}");
        assert!(ranges.iter().all(|range| range.end < text.find("summer").unwrap()), "{ranges:?}");
        assert_eq!(foreign_ranges("stage iv lung cancer, β2-microglobulin 3.1"), Vec::<Range<usize>>::new());
        let chinese = "患者肺腺癌，IV期，无脑转移，接受奥希替尼治疗。";
        assert_eq!(foreign_ranges(chinese).first(), Some(&(0..chinese.len())));
    }

    #[test]
    fn parts_in_another_language_are_detected() {
        let english = "the patient was seen in the clinic for follow up of her disease and is doing well . ";
        for (part, expected) in [
            ("metastasiertem adenokarzinom der lunge, stadium iv, lebermetastasen", true),
            ("die patientin wurde mit osimertinib behandelt, ohne progress nach drei monaten", true),
            ("paciente con adenocarcinoma de pulmon, estadio iv, en tratamiento con osimertinib", true),
            ("carcinome du poumon stade iv avec metastases au foie, traitement par osimertinib", true),
            ("carcinoma del polmone, stadio iv, con metastasi al fegato, in trattamento con osimertinib", true),
            // Foreign words in English notes.
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
