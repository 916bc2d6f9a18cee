//! Whether the words of a note are about a question: they name its things, and more than half of its words.

use std::sync::LazyLock;

use super::{
    question::{Question, rows},
    words::{Word, same, words},
};
use crate::rules::{Entity, entities};

/// Most words of a question that are compared with a sentence.
const MOST_ASKED: usize = 40;

/// Question words, which a note need not contain.
const ASKING: &[&str] = &[
    "who", "whom", "whose", "why", "much", "many", "long", "often", "bad", "severe", "when", "since", "take", "takes",
    "taking", "get", "gets", "given", "date",
];

/// The rows of `about_words.txt`, one for each word of the question.
static SYNONYMS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let rows = rows(include_str!("about_words.txt"));
    rows.flat_map(|(key, written)| key.split(' ').map(move |word| (word, written))).collect()
});

/// Words of the patient's relatives.
pub(super) const RELATIVES: &[&str] = &[
    "mother",
    "father",
    "sister",
    "sisters",
    "brother",
    "brothers",
    "sibling",
    "siblings",
    "parent",
    "parents",
    "aunt",
    "aunts",
    "uncle",
    "uncles",
    "grandmother",
    "grandfather",
    "grandparents",
    "grandparent",
    "daughter",
    "daughters",
    "son",
    "sons",
    "cousin",
    "cousins",
    "niece",
    "nephew",
    "family",
    "familial",
    "relative",
    "relatives",
    "maternal",
    "paternal",
    "husband",
    "wife",
];

/// Returns whether a sentence of the note names what the question names.
pub(super) fn is_about(question: &Question, sentence: &str) -> bool {
    let spelled = words(sentence);
    let named = entities(sentence);
    let has_thing = |thing: &Entity| named.iter().any(|entity| entity.name == thing.name);
    if !question.entities.iter().all(has_thing) {
        return false;
    }
    let (found, all) = shared(question, &spelled, &named);
    all > 0 && found * 2 > all
}

/// Returns whether a sentence has every word of the question that carries meaning.
pub(super) fn has_all_words(question: &Question, sentence: &str) -> bool {
    let (found, all) = shared(question, &words(sentence), &entities(sentence));
    all > 0 && found == all
}

/// Returns how many words of the question a sentence has, and how many the question has.
fn shared(question: &Question, spelled: &[Word], named: &[Entity]) -> (usize, usize) {
    let is_in = |word: &&Word| {
        let written: Vec<&str> = synonyms(&word.text).collect();
        let stands = |other: &Word| word.is_same(other) || written.iter().any(|it| same(it, &other.text));
        spelled.iter().any(stands)
            || question.entities.iter().any(|thing| {
                thing.range.start <= word.range.start
                    && word.range.end <= thing.range.end
                    && named.iter().any(|entity| entity.name == thing.name)
            })
    };
    let asked = question.content.iter().take(MOST_ASKED);
    let counts = |word: &&Word| !ASKING.contains(&word.text.as_str()) || is_in(word);
    (asked.clone().filter(is_in).count(), asked.filter(counts).count())
}

/// Returns whether a note writes one word where a question writes another.
pub(super) fn stands_for(of_question: &str, of_note: &str) -> bool {
    synonyms(of_question).any(|written| same(written, of_note))
}

fn synonyms(of_question: &str) -> impl Iterator<Item = &'static str> {
    let rows = SYNONYMS.iter().filter(move |(key, _)| same(key, of_question));
    rows.map(|(_, written)| *written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_about_a_question_or_not() {
        for (question, sentence, expected) in [
            ("Does she smoke?", "Former smoker, 20 pack-years.", true),
            ("Does she smoke?", "She is married.", false),
            ("What is her blood pressure?", "BP 120/80.", true),
            ("What dose of osimertinib?", "Osimertinib 80 mg daily.", true),
            ("What dose of osimertinib?", "Gefitinib 250 mg daily.", false),
            ("How old is he?", "62-year-old man", true),
            ("What does it say?", "She is married.", false),
            ("Does he use a wheelchair?", "He uses a walker.", false),
            ("Does he use a walker?", "He uses a walker.", true),
        ] {
            assert_eq!(is_about(&Question::of(question), sentence), expected, "{question} {sentence}");
        }
    }
}
