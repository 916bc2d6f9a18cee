//! The words of a text in the form in which the note is searched for them.

use std::borrow::Cow;

use super::{
    index::{Index, Token, TokenKind},
    words::{self, is_joiner},
};

/// One spelling of a word.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) folded: Cow<'static, str>,
    /// Offsets in `folded` at which the spelling has a break.
    pub(super) breaks: Vec<usize>,
    /// Whether a trailing plural `s` may be missing or added.
    pub(super) inflects: bool,
    /// Rule of the synonym; `None` for the word itself.
    pub(super) rule: Option<&'static str>,
    /// Whether a comma, line end or similar mark is before it in its text.
    pub(super) starts_clause: bool,
}

impl Form {
    pub(super) fn carries_meaning(&self) -> bool {
        !is_joiner(&self.folded)
    }
}

/// Splits a text into words and returns their forms.
pub(super) fn forms(text: &str) -> Vec<Form> {
    let index = Index::of(text);
    let mut forms: Vec<Form> = Vec::new();
    let mut previous: Option<Token> = None;
    let mut starts_with_letters = false;
    for &token in index.tokens() {
        let folded = index.fold_of(token);
        let between = previous.map(|previous| text.get(previous.end..token.start).unwrap_or_default());
        // "Non" is a part of the word after it, with or without a hyphen.
        let non = forms.last().is_some_and(|form| form.folded == "non") && token.kind == TokenKind::Letters;
        let joined = non || matches!(between, Some("" | "-" | "\u{2010}" | "\u{2011}" | "/" | "'" | "\u{2019}"));
        // "ER+" is a word and a result; "3+" is one word.
        let sign = token.kind == TokenKind::Symbol && matches!(folded, "+" | "-") && starts_with_letters;
        let tied = !non && matches!(between, Some("-" | "\u{2010}" | "\u{2011}")) && words::is_result(folded);
        let result = sign || tied;
        match forms.last_mut() {
            Some(form) if joined && !result && previous.is_some_and(|previous| previous.kind != TokenKind::Symbol) => {
                form.breaks.push(form.folded.len());
                form.folded.to_mut().push_str(folded);
                form.inflects = token.kind == TokenKind::Letters;
            }
            _ if folded == "+" && !result => {}
            _ => {
                starts_with_letters = token.kind == TokenKind::Letters;
                let inflects = token.kind == TokenKind::Letters;
                let before = previous.map(|previous| (previous.sentence, previous.clause));
                let starts_clause = before.is_some_and(|before| before != (token.sentence, token.clause));
                let folded = Cow::Owned(folded.to_owned());
                forms.push(Form { folded, breaks: Vec::new(), inflects, rule: None, starts_clause });
            }
        }
        previous = Some(token);
    }
    forms
}

/// Returns a text as a key for the lists: its folded tokens, separated by spaces.
pub(super) fn key(text: &str) -> String {
    let index = Index::of(text);
    let mut key = String::with_capacity(text.len());
    for &token in index.tokens() {
        if !key.is_empty() {
            key.push(' ');
        }
        key.push_str(index.fold_of(token));
    }
    key
}
