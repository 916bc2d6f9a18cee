//! Detects markup, encoded text and invisible characters in a text. Most of these are decoded or removed before the
//! rules read a note. The rules read the remainder as letters or as the end of a word, so they miss terms that it
//! interrupts.

use std::sync::LazyLock;

use regex::Regex;

use crate::statics::pattern;

/// HTML entities (`&nbsp;`), known HTML tags (`<wbr>`, but not `<5%`), bytes in quoted-printable encoding (`=C3=A4`),
/// and control and direction characters, except tabs and the characters that end lines and pages.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"&(?:[a-zA-Z]{2,8}|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});",
        r"|(?i:</?(?:html|body|head|div|span|font|table|tr|td|th|ul|ol|li|p|br|hr|wbr|b|i|u|em|strong|sup|sub|a|h[1-6])(?:\s+[a-z-]+\s*=[^<>]*)?\s*/?>)",
        r"|=[0-9A-F]{2}=[0-9A-F]{2}",
        r"|[\x00-\x08\x0e-\x1f\x7f\u{80}-\u{84}\u{86}-\u{9f}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]",
    ))
});

/// Returns whether the text has markup, encoded text or invisible characters.
pub(crate) fn is_in(text: &str) -> bool {
    PATTERN.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_encoded_text_are_detected() {
        for (text, expected) in [
            ("Stage&nbsp;IV <b>lung</b>&nbsp;adeno<wbr>carcinoma", true),
            ("Stage IV<br/>lung", true),
            ("Stage IV<BR />lung", true),
            ("<TD class=\"x\">IV", true),
            ("metast&auml;tisch", true),
            ("&#8211;", true),
            ("&#x2013;", true),
            ("h=C3=A4matologie", true),
            ("adeno\u{202e}carcinoma", true),
            ("lung\u{0} cancer", true),
            ("Ki-67 <5%, PD-L1 <1% and >50%", false),
            ("R&D; B&B", false),
            ("Q&A: fine", false),
            ("a=b, TMB=12, ECOG=1\r\n\tnext\u{c}page", false),
            ("x <b and y> z", false),
            ("5-FU \u{2013} given; caf\u{e9}", false),
        ] {
            assert_eq!(is_in(text), expected, "{text:?}");
        }
    }
}
