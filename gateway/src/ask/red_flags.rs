//! The words of a question that the site treats as an emergency. The list is the site's own and is empty unless it is
//! set. A question without them may still be an emergency: this is not triage.

use super::words::{Word, words};

/// The site's phrases.
#[derive(Clone, Debug, Default)]
pub struct RedFlags {
    phrases: Vec<Vec<String>>,
}

impl RedFlags {
    /// Returns the phrases of a list; blank ones are left out.
    #[must_use]
    pub fn of(phrases: &[String]) -> Self {
        let spelled = |phrase: &String| words(phrase).into_iter().map(|word| word.text).collect::<Vec<_>>();
        Self { phrases: phrases.iter().map(spelled).filter(|words| !words.is_empty()).collect() }
    }

    /// Returns whether a question has one of the phrases, as whole words in any letter case.
    #[must_use]
    pub fn are_in(&self, question: &str) -> bool {
        let spelled = words(question);
        self.phrases.iter().any(|phrase| {
            let begins = |rest: &[Word]| rest.iter().zip(phrase).all(|(word, flag)| word.text == *flag);
            spelled.windows(phrase.len()).any(begins)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_found_as_whole_words() {
        let flags = RedFlags::of(&["chest pain".to_owned(), "kill myself".to_owned(), " ".to_owned()]);
        for (question, expected) in [
            ("I have CHEST  pain now", true),
            ("chest-pain?", true),
            ("I want to kill myself", true),
            ("Did the chest CT show pain?", false),
            ("chestpain", false),
            ("", false),
        ] {
            assert_eq!(flags.are_in(question), expected, "{question}");
        }
        assert!(!RedFlags::default().are_in("chest pain"));
    }
}
