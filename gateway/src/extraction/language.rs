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
/// The first words of a text, by which it is judged as a whole.
const JUDGED_WORDS: usize = 400;
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

/// What the function words of a text say about its language.
#[derive(Debug, Default)]
pub(crate) struct ForeignWords {
    /// Whether the text as a whole is in another language: among its first 400 words are at least [`MIN_FOREIGN`]
    /// function words of other languages, and more of them than of English.
    pub(crate) are_of_whole: bool,
    /// The parts in another language. Among [`PART_WORDS`] consecutive words, at least [`MIN_FOREIGN`] must be clearly
    /// foreign, two of these must differ, and they must outnumber the function words of English.
    pub(crate) parts: Vec<Range<usize>>,
}

impl ForeignWords {
    /// Looks up each word of a text in lower case; a second time only if enough of them are clearly foreign.
    pub(crate) fn of(text: &str) -> Self {
        crate::steps::count(text.len());
        let (mut foreign, mut english, mut clearly_foreign) = (0, 0, 0);
        // Hardly any note has a stem, and one search of the note costs less than one of each word.
        let has_stem = GERMAN_STEMS.iter().any(|stem| memchr::memmem::find(text.as_bytes(), stem.as_bytes()).is_some());
        let kind = |word: &str, known: Indication| {
            let stem = || GERMAN_STEMS.iter().position(|stem| has_stem && word.contains(stem)).map(Kind::German);
            known.kind.or_else(stem)
        };
        for (number, (_, word)) in words_of(text).enumerate() {
            let known = indication(word);
            if number < JUDGED_WORDS {
                foreign += usize::from(known.is_foreign);
                english += usize::from(known.is_english);
            }
            clearly_foreign += usize::from(kind(word, known).is_some_and(|kind| kind != Kind::English));
        }
        let are_of_whole = foreign >= MIN_FOREIGN && foreign > english;
        let mut found = Self { are_of_whole, parts: Vec::new() };
        if clearly_foreign < MIN_FOREIGN {
            return found;
        }
        crate::steps::count(text.len());
        let mut window = Window::default();
        for (start, word) in words_of(text) {
            let Some(first) = window.first_if_foreign(start, kind(word, indication(word))) else { continue };
            let part = first..start + word.len();
            match found.parts.last_mut() {
                Some(last) if part.start <= last.end => last.end = part.end,
                _ => found.parts.push(part),
            }
        }
        found
    }
}

fn indication(word: &str) -> Indication {
    WORDS.get(word).copied().unwrap_or_default()
}

/// Returns the ranges of a text in lower case that are in another language: a single range if the whole note is.
pub(super) fn foreign_ranges(text: &str) -> Vec<Range<usize>> {
    let found = ForeignWords::of(text);
    if found.are_of_whole || is_in_other_script(text) {
        return std::iter::once(0..text.len()).collect();
    }
    found.parts
}

/// Returns whether more than a fifth of the letters belong to a script other than Latin. English notes also contain
/// single Greek letters.
fn is_in_other_script(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    // Latin with its extensions ends at U+024F; U+1E00 to U+1EFF are Latin letters with diacritics.
    let other = letters().filter(|&c| c > '\u{24f}' && !('\u{1e00}'..='\u{1eff}').contains(&c)).count();
    other * 5 > letters().count()
}

/// The last [`PART_WORDS`] words of a text, as far as they indicate a language.
#[derive(Default)]
struct Window {
    words: VecDeque<(usize, Option<Kind>)>,
    /// The foreign words, in the order of the text.
    foreign: Vec<Kind>,
    english: usize,
}

impl Window {
    /// Adds the word that starts at an offset. Returns the start of the window if it is in another language now.
    fn first_if_foreign(&mut self, start: usize, kind: Option<Kind>) -> Option<usize> {
        match kind {
            Some(Kind::English) => self.english += 1,
            Some(kind) => self.foreign.push(kind),
            None => {}
        }
        self.words.push_back((start, kind));
        if self.words.len() > PART_WORDS {
            match self.words.pop_front().and_then(|(_, kind)| kind) {
                Some(Kind::English) => self.english = self.english.saturating_sub(1),
                // The oldest foreign word is the first.
                Some(_) => drop(self.foreign.remove(0)),
                None => {}
            }
        }
        let are_foreign = self.foreign.len() >= MIN_FOREIGN
            && self.foreign.len() > self.english
            && self.foreign.first().is_some_and(|first| self.foreign.iter().any(|other| other != first));
        are_foreign.then(|| self.words.front().map_or(start, |(first, _)| *first))
    }
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

/// What a word says about the language of a text.
#[derive(Clone, Copy, Debug, Default)]
struct Indication {
    /// What it says about the words around it.
    kind: Option<Kind>,
    /// Whether it is a function word of another language.
    is_foreign: bool,
    /// Whether it is a function word of English.
    is_english: bool,
}

static WORDS: LazyLock<Table<&'static str, Indication>> = LazyLock::new(|| {
    let mut table: Table<&'static str, Indication> = Table::default();
    let plain = PLAINLY_FOREIGN.split_ascii_whitespace().chain(FOREIGN_TERMS.split_ascii_whitespace());
    plain.enumerate().for_each(|(at, word)| table.entry(word).or_default().kind = Some(Kind::Foreign(at)));
    FOREIGN.split_ascii_whitespace().for_each(|word| table.entry(word).or_default().is_foreign = true);
    for word in ENGLISH.split_ascii_whitespace() {
        let indication = table.entry(word).or_default();
        (indication.kind, indication.is_english) = (Some(Kind::English), true);
    }
    table
});

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
            assert_eq!(ForeignWords::of(text).are_of_whole, expected, "{text}");
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
                assert_eq!(!ForeignWords::of(&text).parts.is_empty(), expected, "{part}");
            }
        }
    }
}
