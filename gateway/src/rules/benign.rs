//! Recognises lesions that the note explains by something benign, and metastases that it retracts: "hepatic
//! hypodensities, likely cysts", "initially suspected to be a metastasis, biopsied: focal nodular hyperplasia".

use std::ops::Range;

use super::view::{NoteView, is_one_of};

/// Benign findings. An asterisk stands for any ending; without one, only a plural "s" may follow.
const FINDINGS: [&str; 24] = [
    "benign",
    "cyst",
    "hemangioma",
    "haemangioma",
    "granuloma*",
    "hamartoma",
    "bone island",
    "enostos*",
    "focal nodular hyperplasia",
    "fnh",
    "lipoma",
    "myelolipoma",
    "angiomyolipoma",
    "adenoma",
    "osteoma",
    "infarct*",
    "abscess*",
    "focal fat",
    "fatty infiltration",
    "fatty sparing",
    "fat sparing",
    "meningioma",
    "sarcoid*",
    "scarring",
];
/// Words that tie a lesion to its explanation. One of them is between the two: a comma alone makes a list.
const TYING: [&str; 36] = [
    "proved",
    "showed",
    "shows",
    "showing",
    "revealed",
    "regard",
    "regarded",
    "deemed",
    "felt",
    "thought",
    "is",
    "are",
    "was",
    "were",
    "likely",
    "probably",
    "probable",
    "presumably",
    "consistent",
    "compatible",
    "keeping",
    "line",
    "typical",
    "favored",
    "favoured",
    "proven",
    "biopsied",
    "biopsy",
    "representing",
    "represents",
    "represent",
    "considered",
    "called",
    "confirmed",
    "known",
    "as",
];
/// Words that may be beside them. Any other word separates a lesion from the text after it.
const BESIDE: [&str; 31] = [
    "so",
    "a",
    "an",
    "the",
    "most",
    "more",
    "very",
    "old",
    "simple",
    "small",
    "tiny",
    "multiple",
    "stable",
    "unchanged",
    "since",
    "calcified",
    "sclerotic",
    "typical",
    "in",
    "with",
    "of",
    "for",
    "to",
    "be",
    "appear",
    "appears",
    "mm",
    "cm",
    "at",
    "on",
    "now",
];

/// Returns the first benign finding of a text: where it begins and ends.
pub(super) fn finding(text: &str) -> Option<Range<usize>> {
    let places = FINDINGS.iter().filter_map(|finding| {
        let word = finding.trim_end_matches('*');
        text.match_indices(word).find_map(|(at, _)| {
            let end = at + word.len();
            let before = text.get(..at)?;
            let rest = text.get(end..)?;
            let rest = rest.strip_prefix('s').unwrap_or(rest);
            let whole = finding.ends_with('*') || !rest.starts_with(|c: char| c.is_alphanumeric());
            (whole && !before.ends_with(|c: char| c.is_alphanumeric())).then_some(at..end)
        })
    });
    places.min_by_key(|place| place.start)
}

/// Returns whether the words after a lesion explain it by something benign, or the word right before it does. `places`
/// are the organs of the lesion: a cyst of another organ explains nothing.
pub(super) fn explains(view: &NoteView<'_>, lesion: &Range<usize>, places: &[&str]) -> bool {
    const REACH: usize = 110;
    let before = view.near(&(lesion.start..lesion.start), 28, 0);
    let clause = before.rsplit([';', ',', ':', '.', '\n']).next().unwrap_or_default();
    let mut words = clause.rsplit(' ').filter(|word| !word.is_empty()).take(3);
    if words.any(|word| word == "benign") && !clause.contains("not ") {
        return true;
    }
    let after = view.near(&(lesion.end..lesion.end), 0, REACH);
    let after = after.split([';', '\n']).next().unwrap_or_default();
    let after = after.split(". ").next().unwrap_or_default();
    let Some(found) = finding(after) else { return false };
    let gap = after.get(..found.start).unwrap_or_default();
    let rest = after.get(found.end..).unwrap_or_default();
    let in_doubt = ["?", " or ", "s or ", " vs", "s vs", " versus"].iter().any(|doubt| rest.starts_with(doubt));
    let stretch = lesion.end..lesion.end + found.start;
    // "Lung nodules, cysts in the kidney".
    let sited = ["", "s"].iter().find_map(|plural| rest.strip_prefix(plural)?.strip_prefix(" in ")).is_some();
    let behind = lesion.end + found.end..lesion.end + found.end + 32;
    let elsewhere = sited
        && view.terms_in(super::lexicon::TermKind::Site, &behind).iter().any(|site| !places.contains(&site.term.name));
    let of_other =
        view.terms_in(super::lexicon::TermKind::Site, &stretch).iter().any(|site| !places.contains(&site.term.name));
    !in_doubt
        && !of_other
        && !elsewhere
        && !after.contains("metasta")
        && ties(gap, after.get(found).unwrap_or_default())
}

/// Returns whether the words of a gap tie what is before it to the finding after it. "Benign" needs no tie.
fn ties(gap: &str, finding: &str) -> bool {
    let mut tied = finding == "benign";
    let mut words = gap.split([' ', ',', ':', '(', ')', '-', '.', '/']).filter(|word| !word.is_empty());
    let all = words.all(|word| {
        let is_tie = TYING.contains(&word);
        tied |= is_tie;
        is_tie || BESIDE.contains(&word) || word.bytes().any(|byte| byte.is_ascii_digit())
    });
    all && tied
}

/// Returns whether the note retracts a metastasis that it names: as misread, or as a first opinion that something else
/// replaced.
pub(super) fn replaces(view: &NoteView<'_>, metastasis: &Range<usize>) -> bool {
    const ERRORS: [&str; 6] =
        [" was misread", " misread", " was misinterpreted", " misinterpreted", " in error", " erroneously"];
    // Each says what the metastasis is instead.
    const REPLACED: [&str; 8] = [
        "now considered",
        "now thought",
        "now felt",
        "turned out to be",
        "not confirmed",
        "was not confirmed",
        "biopsied:",
        "biopsied -",
    ];
    const REACH: usize = 24;
    let after = view.near(&(metastasis.end..metastasis.end), 0, 100);
    let after = after.split([';', '\n']).next().unwrap_or_default();
    let at_once = |word: &str| after.find(word).is_some_and(|at| at <= REACH);
    if ERRORS.iter().any(|error| at_once(error)) {
        return true;
    }
    let replaced = REPLACED.iter().any(|word| at_once(word))
        && !after.contains(" metasta")
        && is_first_opinion(view, metastasis.start, true);
    replaced || is_refuted_opinion(view, metastasis, after)
}

/// Returns whether a metastasis was an opinion that a benign finding after it refutes: "thought to be a metastasis is a
/// haemangioma", "suspected to be a metastasis; biopsy showed focal nodular hyperplasia".
fn is_refuted_opinion(view: &NoteView<'_>, metastasis: &Range<usize>, after: &str) -> bool {
    const OPINIONS: [&str; 12] = [
        "thought to be",
        "felt to be",
        "believed to be",
        "suspected to be",
        "suspicious for",
        "considered to be",
        "initially reported as",
        "initially called",
        "initially read as",
        "previously reported as",
        "originally reported as",
        "presumed to be",
    ];
    const REFUTED: &str = "was were is are be a an the resected excised removed biopsied and but which that proved proven \
                           to turned out biopsy histology mri showed shows revealed confirmed on lesion lesions it they \
                           considered however benign tissue with liver lung bone";
    let before = view.near(&(metastasis.start..metastasis.start), 40, 0);
    let clause = before.rsplit([',', ';', '\n']).next().unwrap_or_default();
    let opinion = OPINIONS.iter().any(|opinion| clause.contains(opinion));
    let considered = after.starts_with(" was considered") || after.contains(" was considered, but");
    if !opinion && !considered {
        return false;
    }
    // The refutation may follow a semicolon or begin the next sentence.
    let after = view.folded.after(metastasis.end, 110);
    let Some(found) = finding(after) else { return false };
    let gap = after.get(..found.start).unwrap_or_default();
    let mut words = gap.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    words.peek().is_some()
        && words.all(|word| is_one_of(REFUTED, word) || word.bytes().any(|byte| byte.is_ascii_digit()))
}

/// Returns whether the words before an offset call what follows an opinion that was given up: "previously thought to
/// be". With `reports`, "previously reported as" counts, too.
pub(super) fn is_first_opinion(view: &NoteView<'_>, at: usize, reports: bool) -> bool {
    const EARLIER: [&str; 6] = ["previously", "initially", "originally", "first", "formerly", "at first"];
    const OPINIONS: [&str; 7] = ["thought", "believed", "considered", "felt", "assumed", "suspected", "presumed"];
    const REPORTS: [&str; 4] = ["reported", "interpreted", "called", "read"];
    let before = view.folded.before(at, 40);
    let before = before.rsplit(['.', ';', ',', '\n']).next().unwrap_or_default();
    let mut words = before.split(' ').skip_while(|word| !EARLIER.contains(word));
    words.next().is_some() && words.any(|word| OPINIONS.contains(&word) || (reports && REPORTS.contains(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesions_are_explained_by_what_follows() {
        for (text, lesion, explained) in [
            ("Liver lesion, likely a cyst.", "lesion", true),
            ("Liver lesion is a biopsy-proven FNH.", "lesion", true),
            ("Lung nodules are old granulomas.", "nodules", true),
            ("4 mm nodule, unchanged since 2019, benign.", "nodule", true),
            ("Benign liver lesion.", "lesion", true),
            ("Liver lesion and a renal cyst.", "lesion", false),
            ("Liver lesion, renal cyst.", "lesion", false),
            ("Liver nodules, cysts in the kidney.", "nodules", false),
            ("Liver lesions increased, simple cyst unchanged.", "lesions", false),
            ("Liver lesion, not a cyst.", "lesion", false),
            ("Liver lesion adjacent to a cyst.", "lesion", false),
            ("Liver lesion, cyst or metastasis.", "lesion", false),
            ("Liver lesion with a cystic part.", "lesion", false),
            ("Liver lesions; hepatic cyst.", "lesions", false),
            ("Liver lesion of an adenocarcinoma.", "lesion", false),
        ] {
            let view = NoteView::of(text);
            let at = view.folded.as_str().find(lesion).unwrap();
            assert_eq!(explains(&view, &(at..at + lesion.len()), &["liver"]), explained, "{text}");
        }
    }

    #[test]
    fn metastases_are_taken_back() {
        for (text, taken_back) in [
            ("Lung nodule thought to be a metastasis was resected and proved to be a hamartoma.", true),
            ("Liver lesion thought to be a metastasis is a haemangioma on MRI.", true),
            ("Liver lesion suspected to be a metastasis; biopsy showed focal nodular hyperplasia.", true),
            ("Liver lesions initially reported as metastasis are haemangiomas.", true),
            ("Liver lesion thought to be a metastasis increased beside a stable haemangioma.", false),
            ("Lesion previously reported as metastasis, now considered a haemangioma.", true),
            ("Bone metastasis at L2 was misread.", true),
            ("Initially suspected to be a metastasis, biopsied: focal nodular hyperplasia.", true),
            ("Initially suspected to be a metastasis, confirmed on biopsy beside a cyst.", false),
            ("Previously thought benign, now a metastasis.", false),
            ("A metastasis and a cyst.", false),
        ] {
            let view = NoteView::of(text);
            let at = view.folded.as_str().find("metastasis").unwrap();
            assert_eq!(replaces(&view, &(at..at + "metastasis".len())), taken_back, "{text}");
        }
    }
}
