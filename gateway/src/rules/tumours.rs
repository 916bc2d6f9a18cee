//! Sees the tumours of a text for [`crate::extraction`]: the malignancies that it names, and words that belong to
//! tumours of one organ.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use super::{
    RulesEngine,
    cancer::{self, NamedMalignancy},
    lexicon::{Mention, TermKind},
    record,
    standing::Standing,
    view::NoteView,
};
use crate::extraction::{Assertion, Field, Note, Record, TumourMention, TumourReader, TumourSigns, Tumours, chunk};

/// The organ of the terms that belong to tumours of one organ, by the names of the terms in lower case.
static BOUND_WORDS: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("lexicons/bound_words.txt").lines().filter(|line| !line.starts_with('#'));
    let rows = lines.filter_map(|line| line.split_once('|'));
    rows.flat_map(|(organ, names)| names.split(',').map(move |name| (name.trim().to_lowercase(), organ.trim())))
        .collect()
});

/// Organs that notes call by several names, under the name of the first: a tumour of one of them is no second tumour
/// beside one of another.
const ALIKE: [&[&str]; 8] = [
    &["colon", "rectum", "appendix"],
    &["esophagus", "stomach", "gastroesophageal junction"],
    &["head and neck", "oropharynx", "oral cavity", "nasopharynx", "hypopharynx", "nasal cavity", "salivary gland"],
    &["liver", "bile duct", "gallbladder", "ampulla of Vater"],
    &["uterus", "cervix"],
    &["ovary", "fallopian tube", "peritoneum"],
    &["kidney", "ureter"],
    &["soft tissue", "retroperitoneum", "bone", "mediastinum", "thymus"],
];

/// Where a sarcoma arises unless its name says otherwise.
const SOFT_TISSUE: &str = "soft tissue";

/// The most names that a sarcoma is compared with, so that the work stays linear.
const MOST_COMPARED: usize = 32;

/// Organs that do not tell one tumour from another.
const UNSPECIFIC: [&str; 3] = ["unknown primary", "gastrointestinal tract", "mucosa"];

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
    for (name, mut mention) in seen {
        if mention.kind == SOFT_TISSUE {
            // "Leiomyosarcoma" beside "leiomyosarcoma of the uterus" is the same tumour.
            let same = elsewhere.iter().take(MOST_COMPARED).find(|(other, _)| other.contains(name.term.name));
            mention.kind = same.map_or(SOFT_TISSUE, |(_, kind)| kind);
        }
        mentions.push(mention);
    }
    mentions.sort_by_key(|mention| mention.range.start);
    let mut bound_words = Vec::new();
    for kind in [TermKind::Treatment, TermKind::Marker] {
        for mention in view.terms(kind) {
            let organ = mention.term.tag("organ").filter(|_| mention.term.is("surgery"));
            let organ = organ.or_else(|| BOUND_WORDS.get(mention.term.name.to_lowercase().as_str()).copied());
            bound_words.extend(organ.map(|organ| (view.folded.origin(&mention.range), first_alike(organ))));
        }
    }
    bound_words.sort_by_key(|(range, _)| range.start);
    TumourSigns { mentions, bound_words }
}

/// Returns the record of a text that names several tumours, and the values of the others than the index. Where the text
/// does not say which tumour it is about, the record holds the values of all.
pub(super) fn records(text: &str, tumours: &Tumours) -> (Record, Vec<(Field, String)>) {
    // Each record is read in the stretches of its tumour alone, so that no value of another one is chosen.
    let record_of = |keep: &dyn Fn(Option<usize>) -> bool| {
        let text = tumours.only(text, keep);
        let view = NoteView::of(&text);
        record(&view, &cancer::read(&view))
    };
    let Some(index) = tumours.index() else {
        let own = (0..tumours.named().len()).map(|number| record_of(&|tumour| tumour == Some(number)));
        let own: Vec<Record> = own.filter(says_more_than_name).collect();
        let whole = record_of(&|_| true);
        return (if own.len() > 1 { chunk::merge(&own).record } else { whole }, Vec::new());
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

/// Returns whether a record has a value besides the name of the tumour.
fn says_more_than_name(record: &Record) -> bool {
    Field::ALL.into_iter().any(|field| field != Field::CancerType && record.get(field).is_some())
}

/// Returns the mention of a malignancy, if it can tell a tumour from others.
fn mention(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<TumourMention> {
    let key = cancer::key(name)?;
    let heading = (name.organ.is_none() && name.term.is("head")).then(|| heading_organ(view, &name.range)).flatten();
    let unspecific = name.organ.is_some_and(|organ| UNSPECIFIC.contains(&organ));
    if name.standing == Standing::First || name.term.is("weak") && !names_organ(view, name) {
        return None;
    }
    let is_melanoma = name.term.name.contains("melanoma") || name.value.contains("melanoma");
    let kind = match name.organ.filter(|_| !unspecific && !name.term.is("haem")) {
        // An organ that only the sentence names may be the place of a metastasis.
        // A melanoma and a carcinoma of the skin are two tumours; a melanoma of another organ is mostly a metastasis.
        _ if is_melanoma => "melanoma",
        Some(organ) if names_organ(view, name) => first_alike(organ),
        Some(_) => return None,
        None if name.term.is("whole") || name.term.is("haem") => key,
        None => first_alike(heading?),
    };
    Some(TumourMention {
        name: heading.map_or_else(|| name.value.clone(), |organ| format!("{} of the {organ}", name.value)),
        kind,
        organ: name.organ.filter(|_| !unspecific).or(heading),
        histology: name.histology,
        past: name.assertion == Assertion::Historical,
        range: view.folded.origin(&name.range),
    })
}

/// Returns whether the name itself, or the words directly after it, name its organ.
fn names_organ(view: &NoteView<'_>, name: &NamedMalignancy) -> bool {
    if name.term.tag("site").is_some() {
        return true;
    }
    let range = &name.range;
    if view.folded.before(range.start, 12).contains("metasta") {
        return false;
    }
    let is_named = |site: &Mention| site.term.tag("primary") == name.organ;
    view.terms_in(TermKind::Site, range).iter().any(is_named)
        || cancer::following_site(view, range).is_some_and(is_named)
        || (name.organ.is_some() && heading_organ(view, range) == name.organ)
}

/// Returns the organ of the heading before a name: "Lung, right upper lobe: adenocarcinoma".
fn heading_organ(view: &NoteView<'_>, name: &Range<usize>) -> Option<&'static str> {
    let before = name.start - view.folded.before(name.start, ORGAN_BEFORE).len()..name.start;
    view.terms_in(TermKind::Site, &before).iter().find_map(|site| {
        let gap = view.folded.slice(site.range.end..name.start);
        let heads = gap.contains(':') && !gap.contains(". ") && !site.term.is("node");
        site.term.tag("primary").filter(|_| heads)
    })
}

/// Returns the name under which an organ and those like it stand.
fn first_alike(organ: &'static str) -> &'static str {
    let group = ALIKE.iter().find(|group| group.contains(&organ));
    group.and_then(|group| group.first().copied()).unwrap_or(organ)
}

impl TumourReader for RulesEngine {
    fn signs(&self, text: &Note) -> TumourSigns {
        signs(&NoteView::of(text.as_str()))
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
