//! The form of a text that the aligner searches: folded letters and digits without anything in between, and for each
//! run its position in the text. The index is built in one pass and knows nothing about fields.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{
    extraction::{readable::is_hyphen, word_runs::ascii_letters},
    steps,
};

/// The kind of characters in a token. `HER2` is two tokens, so that it matches `HER-2` and `HER 2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Letters,
    /// Digits, with a decimal point or comma inside.
    Number,
    /// One of `% + - < >`, which change what a result means.
    Symbol,
}

/// A run of characters of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Byte range in the text.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Byte range in the folded text.
    pub(super) fold_start: usize,
    pub(super) fold_end: usize,
    pub(super) kind: TokenKind,
    /// Number of characters between the previous token and this one.
    pub(super) gap: u32,
    /// Whether exactly a hyphen or dash is between the previous token and this one.
    pub(super) after_dash: bool,
    /// Number of sentence ends (full stop, semicolon, blank line) before the token.
    pub(super) sentence: u32,
    /// Number of commas, line ends and similar clause marks before the token.
    pub(super) clause: u32,
}

/// A folded text and its tokens.
#[derive(Debug, Default)]
pub(super) struct Index {
    folded: String,
    tokens: Vec<Token>,
}

impl Index {
    pub(super) fn of(text: &str) -> Self {
        steps::count(text.len());
        let mut index = Self { folded: String::with_capacity(text.len()), tokens: Vec::with_capacity(text.len() / 5) };
        let mut scan = TokenScan::default();
        let mut end = 0;
        while let Some(&byte) = text.as_bytes().get(end) {
            let at = end;
            if byte.is_ascii_alphabetic() {
                let run = ascii_letters(text, at);
                end += run.len();
                index.add_letters(&mut scan, run, at);
                continue;
            }
            if byte == b' ' {
                end += 1;
                (scan.open, scan.gap) = (None, scan.gap + 1);
                continue;
            }
            let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
            end += c.len_utf8();
            let next = text.get(end..).and_then(|rest| rest.chars().next());
            if c.is_ascii() {
                index.add_ascii(&mut scan, c, at, end, next);
            } else {
                index.add_other(&mut scan, c, at, end, next);
            }
        }
        index
    }

    /// Returns all tokens, for access to a few of them. Loops over all of them use [`Index::walk`], which counts steps.
    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Returns all tokens for a loop from the first to the last, and counts the steps.
    pub(super) fn walk(&self) -> std::slice::Iter<'_, Token> {
        steps::count(self.tokens.len());
        self.tokens.iter()
    }

    /// The whole folded text.
    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    pub(super) fn fold_of(&self, token: Token) -> &str {
        self.folded.get(token.fold_start..token.fold_end).unwrap_or_default()
    }

    /// Returns the index of the token that starts at this offset of the folded text.
    pub(super) fn starting_at(&self, fold_start: usize) -> Option<usize> {
        self.tokens.binary_search_by_key(&fold_start, |token| token.fold_start).ok()
    }

    /// Returns the index of the token that contains the last byte before this offset of the folded text.
    pub(super) fn ending_at(&self, fold_end: usize) -> Option<usize> {
        self.tokens.partition_point(|token| token.fold_start < fold_end).checked_sub(1)
    }

    fn add_ascii(&mut self, scan: &mut TokenScan, c: char, at: usize, end: usize, next: Option<char>) {
        match c {
            '0'..='9' => self.push(scan, TokenKind::Number, c, at, end),
            '.' | ',' if scan.open == Some(TokenKind::Number) && next.is_some_and(|next| next.is_ascii_digit()) => {
                self.push(scan, TokenKind::Number, '.', at, end);
            }
            '%' | '+' | '<' | '>' => self.push_symbol(scan, c, at, end),
            '-' if is_negative_sign(scan.open, next) => self.push_symbol(scan, c, at, end),
            _ => scan.separate(c, next),
        }
    }

    fn add_other(&mut self, scan: &mut TokenScan, c: char, at: usize, end: usize, next: Option<char>) {
        match c {
            // Soft hyphen, zero-width spaces and joiners, byte order mark: ignored, because they are invisible.
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => {}
            '≥' => self.push_symbol(scan, '>', at, end),
            '≤' => self.push_symbol(scan, '<', at, end),
            hyphen if is_hyphen(hyphen) && is_negative_sign(scan.open, next) => {
                self.push_symbol(scan, '-', at, end);
            }
            _ if is_combining_mark(c) => {
                // A combining mark belongs to the letter before it, so that a quote does not cut it off.
                if scan.open.is_some()
                    && let Some(token) = self.tokens.last_mut()
                {
                    token.end = end;
                }
            }
            _ if is_ideograph(c) => {
                // A script without blanks between words: each character is a token, so that a value is found inside a
                // line.
                scan.open = None;
                self.push(scan, TokenKind::Letters, c, at, end);
                scan.open = None;
            }
            _ => {
                let mut any = false;
                for folded in std::iter::once(c).nfkd().flat_map(char::to_lowercase) {
                    if folded.is_numeric() {
                        self.push(scan, TokenKind::Number, folded, at, end);
                    } else if folded.is_alphabetic() {
                        self.push(scan, TokenKind::Letters, folded, at, end);
                    } else {
                        continue;
                    }
                    any = true;
                }
                if !any {
                    scan.separate(c, None);
                }
            }
        }
    }

    fn push_symbol(&mut self, scan: &mut TokenScan, symbol: char, start: usize, end: usize) {
        scan.open = None;
        self.push(scan, TokenKind::Symbol, symbol, start, end);
        scan.open = None;
    }

    /// Adds a whole run of ASCII letters at once, because notes consist mostly of them.
    fn add_letters(&mut self, scan: &mut TokenScan, run: &str, at: usize) {
        let fold_start = self.folded.len();
        self.folded.push_str(run);
        if let Some(pushed) = self.folded.get_mut(fold_start..) {
            pushed.make_ascii_lowercase();
        }
        self.token(scan, TokenKind::Letters, fold_start, at, at + run.len());
    }

    fn push(&mut self, scan: &mut TokenScan, kind: TokenKind, folded: char, start: usize, end: usize) {
        let fold_start = self.folded.len();
        self.folded.push(folded);
        self.token(scan, kind, fold_start, start, end);
    }

    /// Records the characters just folded, as a new token or as the continuation of the last one.
    fn token(&mut self, scan: &mut TokenScan, kind: TokenKind, fold_start: usize, start: usize, end: usize) {
        let fold_end = self.folded.len();
        match self.tokens.last_mut() {
            Some(token) if scan.open == Some(kind) => (token.end, token.fold_end) = (end, fold_end),
            _ => {
                let TokenScan { gap, sentence, clause, dash, .. } = *scan;
                let after_dash = dash && gap == 1;
                self.tokens.push(Token { start, end, fold_start, fold_end, kind, gap, after_dash, sentence, clause });
            }
        }
        scan.open = Some(kind);
        (scan.gap, scan.dash) = (0, false);
        scan.newlines = 0;
    }
}

/// Returns whether a hyphen at this position is a result, as in "ER-/PR-", and not part of a word.
fn is_negative_sign(open: Option<TokenKind>, next: Option<char>) -> bool {
    matches!(open, Some(TokenKind::Letters | TokenKind::Number))
        && next.is_none_or(|next| next.is_whitespace() || matches!(next, '/' | ',' | ';' | ')' | '.'))
}

/// Returns whether a character belongs to a script that writes no blanks between words: Chinese characters, Japanese
/// kana, Thai.
fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}' | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// State of the pass over a text.
#[derive(Default)]
struct TokenScan {
    /// The kind of the run that the next character may continue.
    open: Option<TokenKind>,
    gap: u32,
    /// Whether the last separator is a hyphen or dash.
    dash: bool,
    sentence: u32,
    clause: u32,
    newlines: u32,
}

impl TokenScan {
    fn separate(&mut self, c: char, next: Option<char>) {
        self.open = None;
        self.gap += 1;
        self.dash = is_hyphen(c) || matches!(c, '–' | '—');
        match c {
            '.' if next.is_some_and(|next| !next.is_whitespace()) => {}
            // In "t(9;22)" the semicolon separates chromosomes.
            ';' if next.is_some_and(|next| next.is_ascii_digit()) => {}
            '.' | '!' | '?' | ';' | '\u{c}' | '。' => self.sentence += 1,
            ',' | '|' | '\t' | '—' | '–' | '•' | '、' => self.clause += 1,
            '\n' => {
                self.newlines += 1;
                self.clause += 1;
                if self.newlines == 2 {
                    self.sentence += 1;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folds(text: &str) -> Vec<String> {
        let index = Index::of(text);
        index.tokens().iter().map(|&token| index.fold_of(token).to_owned()).collect()
    }

    #[test]
    fn texts_are_cut_into_folded_tokens() {
        for (text, expected) in [
            ("HER-2/neu 3+", &["her", "2", "neu", "3", "+"][..]),
            ("p.V600E", &["p", "v", "600", "e"]),
            ("0,9 ng/ml <1%.", &["0.9", "ng", "ml", "<", "1", "%"]),
            ("Ki\u{2011}67 ≥ 20 %", &["ki", "67", ">", "20", "%"]),
            ("Sézary e\u{301}te \u{fb01}ne", &["sezary", "ete", "fine"]),
            ("mel\u{ad}anoma mel\u{200b}anoma", &["melanoma", "melanoma"]),
            ("１０ ｍｇ", &["10", "mg"]),
            ("ER-/PR\u{2212}, anti-PD-1", &["er", "-", "pr", "-", "anti", "pd", "1"]),
            ("", &[]),
        ] {
            assert_eq!(folds(text), expected, "{text}");
        }
    }

    #[test]
    fn tokens_quote_whole_characters() {
        let text = "cafe\u{301} noir";
        let index = Index::of(text);
        let token = index.tokens()[0];
        assert_eq!(text.get(token.start..token.end), Some("cafe\u{301}"));
    }

    #[test]
    fn sentences_and_clauses_are_counted() {
        let counts: Vec<_> =
            Index::of("a b, c. d\ne\n\nf").tokens().iter().map(|token| (token.sentence, token.clause)).collect();
        assert_eq!(counts, [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 4)]);
    }
}
