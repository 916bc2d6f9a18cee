//! Recognises spread that the note refutes: a benign lesion, a count of none, a diagnosis that was only submitted, and
//! a place that is named by an organ beside it.

use super::sites_of;
use crate::rules::{benign, lexicon::Mention, view::NoteView};

/// Returns whether a spread term refers to something benign, or to a metastasis that the note retracts.
pub(super) fn is_refuted(view: &NoteView<'_>, word: &Mention) -> bool {
    let metastatic = word.term.is("metastatic");
    if benign::replaces(view, &word.range) || (metastatic && is_submitted(view, word)) {
        return true;
    }
    let is_lesion = word.term.is("lesion") || word.term.tag("at").is_some();
    if metastatic || !is_lesion {
        return false;
    }
    let (mut places, mut range) = (Vec::new(), word.range.clone());
    for site in sites_of(view, word, true) {
        places.push(site.term.name);
        range.end = range.end.max(site.range.end);
    }
    places.extend(word.term.tag("at"));
    benign::explains(view, &range, &places)
}

/// Returns whether a count of none is after an organ: "liver 0, lung 2".
pub(super) fn is_counted_as_zero(view: &NoteView<'_>, site: &Mention) -> bool {
    let after = view.folded.after(site.range.end, 6).trim_start_matches([' ', ':', '=']);
    let zero = after.strip_prefix('0');
    zero.is_some_and(|rest| {
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        rest.is_empty()
            || rest.starts_with([' ', ',', ';', ')', '\n']) && !rest.starts_with(" of") && !rest.starts_with(" /")
    })
}

/// Returns whether an organ names a place beside it: the splenic hilum is not the spleen.
pub(super) fn is_beside(view: &NoteView<'_>, site: &Mention) -> bool {
    const PLACES: [&str; 5] = [" hilum", " hilar", " flexure", " artery", " vein"];
    let after = view.folded.after(site.range.end, 9);
    site.term.name != "lung" && PLACES.iter().any(|place| after.starts_with(place))
}

/// Returns whether a term is in the diagnosis that was sent in with a specimen, and the note has its own: "Submitted
/// diagnosis: metastatic colorectal adenocarcinoma".
fn is_submitted(view: &NoteView<'_>, word: &Mention) -> bool {
    const SENDERS: [&str; 8] =
        ["submitted", "submitting", "referring", "referral", "outside", "contributor's", "requesting", "provisional"];
    const OWN: [&str; 7] =
        ["our diagnosis", "final diagnosis", "review diagnosis", "revised", "conclusion", "opinion", "diagnosis:"];
    const AGREEMENTS: [&str; 4] = ["agree", "concur", "confirm", "consistent with the submitted"];
    const REACH: usize = 1500;
    let before = view.near(&(word.range.start..word.range.start), 70, 0);
    let Some((label, _)) = before.rsplit_once("diagnosis:") else { return false };
    let label = label.trim_end();
    let sent = SENDERS.iter().any(|sender| {
        label.rfind(sender).is_some_and(|at| label.get(at + sender.len()..).is_some_and(|rest| rest.len() <= 16))
    });
    let later = view.folded.after(word.range.end, REACH);
    let answered = OWN.iter().any(|own| later.contains(own)) && !AGREEMENTS.iter().any(|word| later.contains(word));
    sent && answered
}
