//! The words between a marker and the result that counts: when it was measured ("PSA on 12/05/2024: 8.1"), how it came
//! there ("fell from 45 to 2.1"), a word for the score before the score ("high at 90%"), an amended result.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{
    lexicon::Mention,
    marker_results::{self, result},
    view::NoteView,
};
use crate::statics::pattern;

/// When a value was measured and how it changed, up to the value. The pattern is anchored at the end of the marker; in
/// it `MONTH` stands for the names of months.
static PASSAGE: LazyLock<Regex> = LazyLock::new(|| pattern(&PASSAGE_PATTERN.replace("MONTH", MONTH)));
const PASSAGE_PATTERN: &str = concat!(
    r"^(?:[ :,(]{0,2}(?: ?(?:level|value|result|checked|measured|taken|repeated))?",
    r"(?: ?(?:on|dated|of|from|in) | ?\(|,? )?",
    // A date in digits; a day and a month, if a verb or a sign follows; a month after "in" or "(".
    r"(?:[0-9]{1,2}[/.][0-9]{1,2}[/.](?:[0-9]{4}|[0-9]{2})|(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}",
    r"|(?:[0-9]{1,2}(?:st|nd|rd|th)? MONTH|MONTH [0-9]{1,2}(?:st|nd|rd|th)?)(?:,? (?:19|20)[0-9]{2})?(?:[):]| was| is| =)",
    r"|MONTH,? (?:19|20)[0-9]{2})\)?",
    r"| (?:today|yesterday|this (?:week|month|morning)|last (?:week|month)|at present)(?-u:\b))?",
    r"(?:(?: (?:level|levels|has|have|had|is|was|now|since|then|further|steadily|gradually|rapidly|nicely|slowly|subsequently))*",
    r" (?:fallen|fell|falling|dropped|dropping|declined|declining|decreased|decreasing|come down|came down|coming down|gone down|went down|down|improved|settled|normalised|normalized|risen|climbed|climbing|gone up|went up)",
    r"(?: (?:further|nicely|steadily|slowly))?",
    r"(?: from (?:a (?:peak|baseline|nadir) of )?[<>]?[0-9][0-9.,]*(?: ?[a-zµμ]{1,5}/[a-z]{1,2})?(?: (?:at|on|in|before|pre|after) [a-z0-9/ -]{2,24}?)?)?",
    r" to(?: (?:just|only|about|approximately|around|below|under))?)?",
);
const MONTH: &str = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?";

/// A later value of a series: "5300 → 1900 (1/22) → 240", "44 (3/22), 120 (11/22)".
static LATER: LazyLock<Regex> = LazyLock::new(|| pattern(LATER_PATTERN));
const LATER_PATTERN: &str = r"^(?:(?: ?[a-zµμ]{1,5}/[a-z]{1,2})?(?: ?\([^()\n]{1,16}\))? ?(?:→|->|=>|--?>)|(?: ?[a-zµμ]{1,5}/[a-z]{1,2})? ?\([^()\n]{1,16}\)[,;]) ?(?P<value>[<>]? ?[0-9])";

/// The words by which a report replaces a result by a later one.
static AMENDED: LazyLock<Regex> = LazyLock::new(|| pattern(AMENDED_PATTERN));
const AMENDED_PATTERN: &str = r"^[ ,;(]*(?:(?:which|and|but|later|subsequently|now|then|was|were|has been|on review) )*(?:amended|revised|corrected|changed|updated|upgraded|downgraded) (?:to|as) ";

/// Returns the result that counts of a marker, and the offset in the folded text from which its groups count.
pub(super) fn result_that_counts<'v>(view: &'v NoteView<'_>, marker: &Mention) -> Option<(usize, Captures<'v>)> {
    const REACH: usize = 110;
    // Read once: a row of markers asks for the results of its later ones again and again.
    let text = view.folded.after(marker.range.end, REACH);
    let from = |at: usize| text.get(at..).unwrap_or_default();
    let start = passage(text);
    let mut counts = (start, result(from(start))?);
    let end = |(start, found): &(usize, Captures<'_>)| start + found.get(0).map_or(0, |all| all.end());
    // "PD-L1 high at 90%": the score says more than the word.
    let word = counts.1.name("raised").map(|_| end(&counts));
    let number = counts.1.name("number").map(|number| counts.0 + number.start());
    if let Some(at) = word.or(number).filter(|_| marker.term.is("score")) {
        let score = result(from(at)).filter(|found| found.name("percent").is_some());
        counts = score.map_or(counts, |found| (at, found));
    }
    while marker.term.is("serum") && counts.1.name("number").is_some() {
        let at = end(&counts);
        let Some(value) = LATER.captures(from(at)).and_then(|found| found.name("value")) else { break };
        let Some(later) = result(from(at + value.start())).filter(|found| found.name("number").is_some()) else {
            break;
        };
        counts = (at + value.start(), later);
    }
    let at = end(&counts);
    if let Some(words) = AMENDED.find(from(at)) {
        let later = result(from(at + words.end()));
        counts = later.map_or(counts, |found| (at + words.end(), found));
    }
    Some((marker.range.end + counts.0, counts.1))
}

/// Returns whether a marker is one of two that were both not found: "neither ER nor PR was expressed".
pub(super) fn is_neither(view: &NoteView<'_>, marker: &Mention) -> bool {
    const WITHOUT_RESULT: [&str; 5] = ["tested", "available", "performed", "assessed", "known"];
    let before = view.near(&(marker.range.start..marker.range.start), 36, 0);
    let Some((_, between)) = before.rsplit_once("neither ") else { return false };
    let after = view.near(&(marker.range.end..marker.range.end), 0, 60);
    let after = after.split([';', ',']).next().unwrap_or_default();
    let paired = if between.is_empty() { after.contains(" nor ") } else { between.ends_with(" nor ") };
    paired && !between.contains([',', ';', ':']) && !WITHOUT_RESULT.iter().any(|word| after.contains(word))
}

/// Returns how many bytes the time and the change before a value take.
fn passage(text: &str) -> usize {
    let Some(found) = PASSAGE.find(text) else { return 0 };
    let rest = text.get(found.end()..).unwrap_or_default();
    let mut after = rest.trim_start_matches([' ', ':', ',', '(', ')', '=', '-']);
    after = ["was ", "is "].iter().find_map(|verb| after.strip_prefix(verb)).unwrap_or(after);
    // What stands before a word is left to the pattern of results.
    if after.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '<' | '>')) { found.end() } else { 0 }
}

/// Compiles the patterns before a note needs them.
pub(super) fn compile() {
    LazyLock::force(&PASSAGE);
    LazyLock::force(&AMENDED);
    LazyLock::force(&LATER);
    marker_results::compile();
}

#[cfg(test)]
mod tests {
    use crate::rules::{biomarkers, view::NoteView};

    #[test]
    fn the_value_that_holds_now_counts() {
        for (note, expected) in [
            ("Prostate cancer. PSA on 12/05/2024: 8.1 ng/mL.", "PSA 8.1 ng/mL"),
            ("Prostate cancer. PSA (12.05.2024) 8.1 ng/mL.", "PSA 8.1 ng/mL"),
            ("Prostate cancer. PSA 2024-05-12: 8.1 ng/mL", "PSA 8.1 ng/mL"),
            ("Prostate cancer. PSA on 12 May was 8.1 ng/mL", "PSA 8.1 ng/mL"),
            ("Prostate cancer. PSA in March 2024 was 8.1 ng/mL", "PSA 8.1 ng/mL"),
            ("Prostate cancer. PSA 12 May 2024, 8.1 in June", "PSA 12"),
            ("Prostate cancer. PSA 8.1 ng/mL on 12/05/2024.", "PSA 8.1 ng/mL"),
            ("Prostate cancer. PSA today is 6.4 ng/mL.", "PSA 6.4 ng/mL"),
            ("Prostate cancer. PSA this week was 12 ng/mL.", "PSA 12 ng/mL"),
            ("Prostate cancer. His PSA has fallen to 0.3 ng/mL.", "PSA 0.3 ng/mL"),
            ("Prostate cancer. PSA fell from 45 to 2.1 ng/mL.", "PSA 2.1 ng/mL"),
            ("Prostate cancer. PSA dropped from 150 ng/mL at diagnosis to 45 ng/mL.", "PSA 45 ng/mL"),
            ("HCC. AFP: 5300 → 1900 (1/22) → 240 (6/22) → 88 (12/22).", "AFP 88"),
            ("Prostate cancer. PSA 24 -> 5 -> <0.1.", "PSA <0.1"),
            ("Prostate cancer. PSA 11→2, well.", "PSA 2"),
            ("Breast cancer. CA15-3: 44 (3/22), 120 (11/22), 210 (today).", "CA 15-3 210"),
            ("Prostate cancer. PSA 24 (2022). Started ADT.", "PSA 24"),
            ("Rectal cancer. Next: CT + CEA 6/12.", ""),
            ("Breast cancer HER 2 - ve, ER + ve.", "HER2 negative; ER positive"),
            ("Ovarian cancer. CA-125 has come down to 18 U/mL.", "CA-125 18 U/mL"),
            ("Lung adenocarcinoma, PD-L1 high at 90%.", "PD-L1 90%"),
            ("Lung adenocarcinoma. PD-L1 expression is high (TPS 80%).", "PD-L1 80%"),
            ("Breast cancer. HER2 initially reported 2+, amended to 3+.", "HER2 IHC 3+"),
            ("Breast cancer. HER2 IHC 2+ (later revised to 1+).", "HER2 IHC 1+"),
            ("Breast cancer. HER2 1+ (amended from 2+).", "HER2 IHC 1+"),
            ("Breast cancer, expressing neither ER nor PR; HER2 negative.", "ER negative; PR negative; HER2 negative"),
            ("Breast cancer. Neither ER nor PR was tested.", ""),
            ("Ovarian cancer. HRD (Myriad) result: negative.", ""),
            ("Ovarian cancer. HRD (Myriad): positive.", "HRD-positive"),
            ("Prostate cancer. PSA may be repeated in 12 weeks.", ""),
            ("Prostate cancer. PSA in May.", ""),
        ] {
            let view = NoteView::of(note);
            assert_eq!(biomarkers::read(&view).joined().unwrap_or_default(), expected, "{note}");
        }
    }
}
