//! Sees the tumours of a text for [`crate::extraction`]: the malignancies that it names, and words that belong to
//! tumours of one organ.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    ops::Range,
    sync::LazyLock,
};

use super::{
    RulesEngine,
    cancer::{self, NamedMalignancy},
    lexicon::{Mention, TermKind},
    meanings, record,
    standing::Standing,
    view::NoteView,
};
use crate::extraction::{
    Assertion, Context, Field, Note, Record, TumourMention, TumourReader, TumourSigns, Tumours, first_alike,
};

/// The organ of the terms that belong to tumours of one organ, by the names of the terms in lower case.
static BOUND_WORDS: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("lexicons/bound_words.txt").lines().filter(|line| !line.starts_with('#'));
    let rows = lines.filter_map(|line| line.split_once('|'));
    rows.flat_map(|(organ, names)| names.split(',').map(move |name| (name.trim().to_lowercase(), organ.trim())))
        .collect()
});

/// Where a sarcoma arises unless its name says otherwise.
const SOFT_TISSUE: &str = "soft tissue";

/// Organs to which tumours of others spread.
const OFTEN_METASTATIC: [&str; 6] = ["liver", "brain", "bone", "pleura", "peritoneum", "adrenal gland"];

const MELANOMA: &str = "melanoma";
const HEPATOCELLULAR: &str = "hepatocellular carcinoma";

/// Organs whose operations also treat tumours of others: castration, debulking, the lobe of a thyroid.
const AMBIGUOUS: [&str; 4] = ["testis", "uterus", "ovary", "lung"];

/// The most names that a sarcoma is compared with, so that the work stays linear.
const MOST_COMPARED: usize = 32;

/// Organs that do not tell one tumour from another.
const UNSPECIFIC: [&str; 3] = ["unknown primary", "gastrointestinal tract", "mucosa"];

/// Examinations that look at one organ: a sentence that begins with one speaks of the tumour there.
const EXAMINATIONS: [(&str, &str); 6] = [
    ("cystoscopy", "bladder"),
    ("colonoscopy", "colon"),
    ("mammogra", "breast"),
    ("gastroscopy", "stomach"),
    ("laryngoscopy", "larynx"),
    ("hysteroscopy", "uterus"),
];

/// The kind of a tumour whose organ the note does not name.
const UNNAMED_ORGAN: &str = "unnamed organ";

/// Bytes before a name within which the heading of a specimen may name its organ.
const ORGAN_BEFORE: usize = 90;

/// Returns what the rules see of tumours in the text of a view.
pub(super) fn signs(view: &NoteView<'_>) -> TumourSigns {
    let names = cancer::names(view);
    let mut mentions: Vec<TumourMention> = Vec::new();
    let seen: Vec<_> = names.iter().filter_map(|name| Some((name, mention(view, name)?))).collect();
    let elsewhere: Vec<(String, &'static str)> = seen
        .iter()
        .filter(|(_, mention)| mention.kind != SOFT_TISSUE)
        .map(|(_, mention)| (mention.name.to_lowercase(), mention.kind))
        .collect();
    let has_hepatocellular = elsewhere.iter().any(|(_, kind)| *kind == HEPATOCELLULAR);
    let denied = denied(view);
    for (name, mut mention) in seen.into_iter().filter(|(name, _)| !denied.contains(name.term.name)) {
        if has_hepatocellular && name.term.name == "liver cancer" {
            mention.kind = HEPATOCELLULAR;
        }
        if mention.kind == SOFT_TISSUE {
            // "Leiomyosarcoma" beside "leiomyosarcoma of the uterus" is the same tumour.
            let same = elsewhere.iter().take(MOST_COMPARED).find(|(other, _)| other.contains(name.term.name));
            mention.kind = same.map_or(SOFT_TISSUE, |(_, kind)| kind);
        }
        mentions.push(mention);
    }
    if mentions.is_empty() {
        mentions = of_diagnosis(view, &names);
    }
    mentions.sort_by_key(|mention| mention.range.start);
    let mut bound_words = Vec::new();
    for kind in [TermKind::Treatment, TermKind::Marker] {
        for mention in view.terms(kind) {
            let organ =
                mention.term.tag("organ").filter(|organ| mention.term.is("surgery") && !AMBIGUOUS.contains(organ));
            let organ = organ.or_else(|| BOUND_WORDS.get(mention.term.name.to_lowercase().as_str()).copied());
            bound_words.extend(organ.map(|organ| (view.folded.origin(&mention.range), first_alike(organ))));
        }
    }
    bound_words.sort_by_key(|(range, _)| range.start);
    TumourSigns { mentions, bound_words, organ_labels: organ_labels(view), homonyms: homonyms(view) }
}

/// Returns the organs that stand alone before a colon at the start of a sentence, and examinations of one organ there.
fn organ_labels(view: &NoteView<'_>) -> Vec<(Range<usize>, &'static str)> {
    // "Rectal:", "Rectal tumour:", "The larynx showed".
    const NOUNS: [&str; 6] = [" tumor", " tumour", " lesion", " mass", " primary", ""];
    const SHOWS: [&str; 3] = [" showed ", " shows ", " responded "];
    let begins = |at: usize, articles: &[&str]| {
        let ahead = view.folded.slice(view.sentence(at).start..at);
        let ahead = ahead.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        articles.contains(&ahead)
    };
    let is_label = |site: &&Mention| {
        let after = view.folded.after(site.range.end, 12);
        let heads = NOUNS.iter().any(|noun| after.strip_prefix(noun).is_some_and(|after| after.starts_with(':')));
        (heads && begins(site.range.start, &[""]))
            || (SHOWS.iter().any(|verb| after.starts_with(verb))
                && begins(site.range.start, &["", "the ", "her ", "his "]))
    };
    let sites = view.terms(TermKind::Site).iter().filter(is_label);
    let organ = |site: &Mention| Some((view.folded.origin(&site.range), first_alike(site.term.tag("primary")?)));
    let mut labels: Vec<_> = sites.filter_map(organ).collect();
    for (examination, organ) in EXAMINATIONS {
        // "Cystoscopy 08/2024: no recurrence", not "Colonoscopy for colitis".
        let has_result = |at: &usize| {
            let after =
                view.folded.after(at + examination.len(), 20).trim_start_matches(|c: char| c.is_ascii_lowercase());
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '/' | '.' | '-'));
            after.starts_with(':') || after.starts_with("showed") || after.starts_with("shows")
        };
        let starts = view.folded.as_str().match_indices(examination).map(|(at, _)| at);
        let starts = starts.filter(|at| begins(*at, &[""]) && has_result(at));
        labels.extend(starts.map(|at| (view.folded.origin(&(at..at + examination.len())), first_alike(organ))));
    }
    labels.sort_by_key(|(range, _)| range.start);
    labels
}

/// Returns the acronyms of treatments, markers, genes and metastases that mean something else.
fn homonyms(view: &NoteView<'_>) -> Vec<Range<usize>> {
    let kinds = [TermKind::Treatment, TermKind::Marker, TermKind::Gene, TermKind::Spread].into_iter();
    let others = kinds.flat_map(|kind| view.terms(kind)).filter(|mention| meanings::shows_another(view, mention));
    let mut ranges: Vec<Range<usize>> = others.map(|mention| view.folded.origin(&mention.range)).collect();
    ranges.sort_by_key(|range| range.start);
    ranges
}

/// Returns the record of a text that names several tumours, and the values of the others than the index. Where the text
/// does not say which tumour it is about, the record holds the values of all.
pub(super) fn records(text: &str, tumours: &Tumours) -> (Record, Vec<(Field, String)>) {
    // Each record is read in the stretches of its tumour alone, so that no value of another one is chosen.
    let record_of = |keep: &dyn Fn(Option<usize>) -> bool| {
        let text = tumours.only(text, keep);
        let view = NoteView::of_part(&text);
        record(&view, &cancer::read(&view))
    };
    let Some(index) = tumours.index() else {
        let own = (0..tumours.named().len()).map(|number| record_of(&|tumour| tumour == Some(number)));
        let own: Vec<Record> = own.filter(says_more_than_name).collect();
        let whole = record_of(&|_| true);
        return (if own.len() > 1 { of_all(&own, &whole) } else { whole }, Vec::new());
    };
    let main = record_of(&|tumour| tumour.is_none_or(|tumour| tumour == index));
    let others = (0..tumours.named().len()).filter(|other| *other != index);
    let others: Vec<Record> = others.map(|other| record_of(&|tumour| tumour == Some(other))).collect();
    let values = |record: Record| {
        let of_field = |field| record.values(field).map(move |value| (field, value.to_owned())).collect::<Vec<_>>();
        Field::ALL.into_iter().flat_map(of_field).collect::<Vec<_>>()
    };
    (main, others.into_iter().flat_map(values).collect())
}

/// Returns the names that the note rejects as a diagnosis: "this is not lymphoma". "No lymphoma" may be a remission.
fn denied(view: &NoteView<'_>) -> HashSet<&'static str> {
    let is_denied = |mention: &&Mention| {
        let before = view.folded.before(mention.range.start, 8);
        before.ends_with(" not ") || before.ends_with(" not a ")
    };
    view.terms(TermKind::Cancer).iter().filter(is_denied).map(|mention| mention.term.name).collect()
}

/// Returns the record with the values of all tumours, and those that the note ties to none of them. No value replaces a
/// wider one, which may be another tumour's.
fn of_all(own: &[Record], whole: &Record) -> Record {
    let mut all = Record::default();
    for field in Field::ALL {
        let mut values: Vec<&str> = Vec::new();
        for value in own.iter().flat_map(|record| record.values(field)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let is_known = |value: &&str| values.iter().any(|known| known.contains(value) || value.contains(known));
        let untied: Vec<&str> = whole.values(field).filter(|value| !is_known(value)).collect();
        if field != Field::CancerType {
            values.extend(untied);
        }
        *all.get_mut(field) = (!values.is_empty()).then(|| values.join("; "));
    }
    all
}

/// Returns whether a record has a value besides the name of the tumour.
fn says_more_than_name(record: &Record) -> bool {
    Field::ALL.into_iter().any(|field| field != Field::CancerType && record.get(field).is_some())
}

/// Returns the mention of a malignancy, if it can tell a tumour from others.
fn mention(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<TumourMention> {
    let key = cancer::key(name).or_else(|| name.term.is("head").then_some(name.term.name))?;
    if name.standing == Standing::First || is_of_no_patient(view, &name.range) {
        return None;
    }
    let organ = own_organ(view, name);
    let kind = match organ {
        _ if name.term.is("haem") => key,
        // A melanoma and a carcinoma of the skin are two tumours; a melanoma of another organ is mostly a metastasis.
        _ if name.value.contains("melanoma") => MELANOMA,
        // Beside a cancer of the bile ducts.
        _ if name.term.name == HEPATOCELLULAR => HEPATOCELLULAR,
        Some(organ) => first_alike(organ),
        // An organ that only the sentence names may be the place of a metastasis.
        None if name.term.is("whole") && name.organ.is_none_or(|organ| UNSPECIFIC.contains(&organ)) => key,
        None => return None,
    };
    let other_organ =
        organ.filter(|_| !name.term.is("haem") && organ != name.organ && !name.value.contains(" of the "));
    Some(TumourMention {
        name: other_organ.map_or_else(|| name.value.clone(), |organ| format!("{} of the {organ}", name.value)),
        kind,
        organ: organ.filter(|_| !name.term.is("haem")),
        histology: name.histology,
        past: name.assertion == Assertion::Historical,
        certain: matches!(name.assertion, Assertion::Present | Assertion::Historical),
        range: view.folded.origin(&name.range),
    })
}

/// Returns the names as one tumour of the organ of the diagnosis, for a note that names the organ elsewhere or not at all.
fn of_diagnosis(view: &NoteView<'_>, names: &[NamedMalignancy]) -> Vec<TumourMention> {
    let counts = |name: &&NamedMalignancy| {
        name.term.is("head")
            && !name.term.is("weak")
            && name.standing != Standing::First
            && !is_of_no_patient(view, &name.range)
    };
    let heads: Vec<&NamedMalignancy> = names.iter().filter(counts).collect();
    let organ = if heads.is_empty() { None } else { cancer::read(view).organ };
    let mention = |name: &NamedMalignancy| TumourMention {
        name: name.value.clone(),
        kind: organ.map_or(UNNAMED_ORGAN, first_alike),
        organ,
        histology: name.histology,
        past: name.assertion == Assertion::Historical,
        certain: matches!(name.assertion, Assertion::Present | Assertion::Historical),
        range: view.folded.origin(&name.range),
    };
    heads.into_iter().map(mention).collect()
}

/// Returns whether words are about a trial, a drug's use or a leaflet and not about the patient.
fn is_of_no_patient(view: &NoteView<'_>, name: &Range<usize>) -> bool {
    const BEFORE: [&str; 8] =
        ["trial for", "trial of", "trial in", "use for", "used for", "approved for", "booklet", "leaflet"];
    const AFTER: [&str; 3] = ["trial", "research nurse", "nurse specialist"];
    let before = view.near(&(name.start..name.start), 70, 0);
    let after = view.folded.after(name.end, 18).trim_start();
    BEFORE.iter().any(|words| before.contains(words)) || AFTER.iter().any(|words| after.starts_with(words))
}

/// Returns the organ that the name itself, the words directly after it or the heading before it name.
fn own_organ(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<&'static str> {
    let range = &name.range;
    let specific = name.organ.filter(|organ| !UNSPECIFIC.contains(organ));
    let beside = organ_beside(view, range, specific.is_some());
    let is_metastatic = view.folded.before(range.start, 12).contains("metasta");
    if is_metastatic && specific.is_some_and(|organ| OFTEN_METASTATIC.contains(&organ)) {
        return None;
    }
    if beside.is_some() || name.term.tag("site").is_some() {
        return beside.or(specific);
    }
    if is_metastatic {
        return None;
    }
    let heading = heading_organ(view, range);
    let is_named = |site: &Mention| site.term.tag("primary") == specific;
    if specific.is_some() {
        let named = view.terms_in(TermKind::Site, range).iter().any(is_named)
            || cancer::following_site(view, range).is_some_and(is_named)
            || heading == specific;
        return specific.filter(|_| named);
    }
    heading.or_else(|| name.value.starts_with("cutaneous ").then_some("skin")).filter(|_| !name.term.is("weak"))
}

/// Returns the organ directly after a name: "carcinoma of the left ureter", "SCC left tonsil", "NET at the appendix". It
/// replaces the usual organ of a name only after "of".
fn organ_beside(view: &NoteView<'_>, name: &Range<usize>, has_organ: bool) -> Option<&'static str> {
    const MODIFIERS: [&str; 14] =
        ["the", "a", "his", "her", "left", "right", "l", "r", "lower", "upper", "mid", "middle", "distal", "proximal"];
    const PLACES: [&str; 8] = ["metast", "mets", "lesion", "deposit", "involve", "biops", "invas", "bx"];
    const WIDEST: usize = 30;
    let sites = view.terms(TermKind::Site);
    let site = sites.get(sites.partition_point(|site| site.range.start < name.end))?;
    if site.range.start > name.end + WIDEST {
        return None;
    }
    let gap = view.folded.slice(name.end..site.range.start);
    let mut words = gap.split_ascii_whitespace().peekable();
    let of = words.next_if_eq(&"of").is_some();
    words.next_if_eq(&"at");
    let modified = words.all(|word| MODIFIERS.contains(&word));
    let linked = gap.starts_with(' ') && modified && (of || !has_organ);
    let after = view.folded.after(site.range.end, 10).trim_start();
    let is_place = site.term.is("node") || PLACES.iter().any(|place| after.starts_with(place));
    site.term.tag("primary").filter(|_| linked && !is_place)
}

/// Returns the organ of the heading before a name: "Lung, right upper lobe: adenocarcinoma".
fn heading_organ(view: &NoteView<'_>, name: &Range<usize>) -> Option<&'static str> {
    let before = name.start - view.folded.before(name.start, ORGAN_BEFORE).len()..name.start;
    view.terms_in(TermKind::Site, &before).iter().find_map(|site| {
        let gap = view.folded.slice(site.range.end..name.start);
        let heads = gap.contains(':') && !gap.contains(". ") && !site.term.is("node");
        // What is taken from an organ to which tumours spread may be a metastasis.
        let organ = site.term.tag("primary").filter(|_| heads)?;
        let before = view.folded.before(site.range.start, 24);
        let taken =
            ["biops", "bx", "aspirat", "fna", "metasta"].iter().any(|word| before.contains(word) || gap.contains(word));
        Some(organ).filter(|organ| !taken || !OFTEN_METASTATIC.contains(organ))
    })
}

impl TumourReader for RulesEngine {
    fn signs(&self, text: &Note, context: &Context<'_>) -> TumourSigns {
        signs(&NoteView::with_context(text.as_str(), Cow::Borrowed(context)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_words_are_in_the_lexicons() {
        let mut listed: Vec<&str> = Vec::new();
        for kind in ["markers", "treatments"] {
            let list = match kind {
                "markers" => include_str!("lexicons/markers.txt"),
                _ => include_str!("lexicons/treatments.txt"),
            };
            listed.extend(
                list.lines().filter_map(|line| line.split('|').next()).map(|name| name.trim().trim_start_matches('=')),
            );
        }
        for name in BOUND_WORDS.keys() {
            assert!(listed.iter().any(|listed| listed.to_lowercase() == *name), "{name}");
        }
    }
}
