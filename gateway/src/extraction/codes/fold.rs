//! The forms of a name in which the lists and the operator's files are searched.

use crate::steps;

/// British spellings with the American ones of the lists.
const SPELLINGS: [(&str, &str); 15] = [
    ("tumour", "tumor"),
    ("tumours", "tumors"),
    ("leukaemia", "leukemia"),
    ("oesophageal", "esophageal"),
    ("oesophagus", "esophagus"),
    ("oesophagogastric", "esophagogastric"),
    ("haemangiosarcoma", "hemangiosarcoma"),
    ("haemangiopericytoma", "hemangiopericytoma"),
    ("haemangioendothelioma", "hemangioendothelioma"),
    ("phaeochromocytoma", "pheochromocytoma"),
    ("macroglobulinaemia", "macroglobulinemia"),
    ("polycythaemia", "polycythemia"),
    ("thrombocythaemia", "thrombocythemia"),
    ("caecal", "cecal"),
    ("smouldering", "smoldering"),
];

/// Returns a name in lower case and American spelling, with one space for hyphens, commas and blanks, without a
/// possessive "s" and without the accents of the lists' proper names.
pub(super) fn fold(name: &str) -> String {
    steps::count(name.len());
    let mut plain = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '\u{2019}' => {
                let mut after = rest.clone();
                let possessive = after.next() == Some('s') && !after.next().is_some_and(char::is_alphanumeric);
                if possessive {
                    rest.next();
                }
            }
            '-' | '\u{2010}'..='\u{2015}' | ',' => plain.push(' '),
            'é' => plain.push('e'),
            'ö' => plain.push('o'),
            'ü' => plain.push('u'),
            c if c.is_whitespace() => plain.push(' '),
            c => plain.extend(c.to_lowercase()),
        }
    }
    let mut folded = String::with_capacity(plain.len());
    for word in plain.split(' ').filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        let american = SPELLINGS.iter().find(|(british, _)| *british == word).map(|(_, american)| *american);
        folded.push_str(american.unwrap_or(word));
    }
    folded
}

/// Returns the form in which the operator's files are searched: that of [`fold`], but without losing a sign that may
/// change the meaning. "ER-" is not "ER", "1-5" is not "1,5", and "5'" is not "5".
pub(super) fn key(name: &str) -> String {
    let mut marked = String::with_capacity(name.len());
    let mut before: Option<char> = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        let are_both = |is: fn(char) -> bool| before.is_some_and(is) && next.is_some_and(is);
        let in_number = are_both(char::is_numeric);
        let in_word = are_both(char::is_alphanumeric) && !in_number;
        let is_dash = matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
        marked.push(match c {
            _ if is_dash && in_word => '-',
            _ if is_dash => '\u{2212}',
            ',' if in_number => '\u{201a}',
            '\'' | '\u{2019}' if !before.is_some_and(char::is_alphabetic) => '\u{2032}',
            _ => c,
        });
        before = Some(c);
    }
    fold(&marked)
}
