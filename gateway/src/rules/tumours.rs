//! Finds the tumours of a text for [`crate::extraction`]: the malignancies that it names, and words that belong to
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
    diagnosis_status::DiagnosisStatus,
    lexicon::{Mention, TermKind},
    meanings, record, sites,
    tumour_organs::{AMBIGUOUS, own_organ},
    tumour_paragraphs,
    tumour_references::{self, UNSPECIFIC},
    view::NoteView,
};
use crate::extraction::{
    Assertion, Context, Field, Note, Record, TumourMention, TumourReader, TumourSigns, Tumours, first_alike,
};

/// The organs of the terms that belong to tumours of one or a few organs, by the names of the terms in lower case.
static BOUND_WORDS: LazyLock<HashMap<String, Vec<&'static str>>> = LazyLock::new(|| {
    let lines = include_str!("lexicons/bound_words.txt").lines().filter(|line| !line.starts_with('#'));
    let mut organs: HashMap<String, Vec<&'static str>> = HashMap::new();
    for (row, names) in lines.filter_map(|line| line.split_once('|')) {
        for name in names.split(',') {
            organs
                .entry(name.trim().to_lowercase())
                .or_default()
                .extend(row.split('+').map(|organ| first_alike(organ.trim())));
        }
    }
    organs
});

/// Where a sarcoma arises unless its name says otherwise.
const SOFT_TISSUE: &str = "soft tissue";

/// The kind of all tumours of blood and lymph.
const BLOOD_AND_LYMPH: &str = "blood and lymph";

const MELANOMA: &str = "melanoma";
const HEPATOCELLULAR: &str = "hepatocellular carcinoma";

/// Maximum number of names that a sarcoma is compared with, so that the work stays linear.
const MOST_COMPARED: usize = 32;

/// The kind of a tumour whose organ the note does not name.
const UNNAMED_ORGAN: &str = "unnamed organ";

/// Takes the names out of `unnamed` that get the organ of their paragraph, and returns their tumours. Without a second
/// kind of tumour in the text they add nothing to the diagnosis.
fn of_paragraphs(
    view: &NoteView<'_>,
    unnamed: &mut Vec<&NamedMalignancy>,
    seen: &[(&NamedMalignancy, TumourMention)],
) -> Vec<TumourMention> {
    let named: Vec<Range<usize>> = seen.iter().map(|(name, _)| name.range.clone()).collect();
    let organs: Vec<_> = unnamed.iter().map(|name| tumour_paragraphs::organ(view, name, &named)).collect();
    let kinds =
        seen.iter().map(|(_, mention)| mention.kind).chain(organs.iter().flatten().map(|organ| first_alike(organ)));
    if kinds.collect::<HashSet<_>>().len() < 2 {
        return Vec::new();
    }
    let mut placed = Vec::new();
    let mut organs = organs.into_iter();
    unnamed.retain(|name| {
        let organ = organs.next().flatten();
        placed.extend(organ.map(|organ| placed_at(view, name, organ)));
        organ.is_none()
    });
    placed
}

/// Returns the mention of a name as a tumour of an organ.
fn placed_at(view: &NoteView<'_>, name: &NamedMalignancy, organ: &'static str) -> TumourMention {
    // The name may have got the organ of a mass near it, which is not its own.
    let histology = name.value.split(" of the ").next().unwrap_or_default();
    TumourMention {
        name: format!("{histology} of the {organ}"),
        kind: first_alike(organ),
        organ: Some(organ),
        histology: name.histology,
        past: name.assertion == Assertion::Historical,
        certain: matches!(name.assertion, Assertion::Present | Assertion::Historical),
        range: view.folded.origin(&name.range),
    }
}

/// Returns the signs of tumours in the text of a view that names these malignancies.
pub(super) fn signs(view: &NoteView<'_>, names: &[NamedMalignancy]) -> TumourSigns {
    let mut mentions: Vec<TumourMention> = Vec::new();
    let mut seen: Vec<(&NamedMalignancy, TumourMention)> = Vec::new();
    let mut unnamed: Vec<&NamedMalignancy> = Vec::new();
    for name in names {
        match mention(view, name) {
            Some(mention) => seen.push((name, mention)),
            None if name.status != DiagnosisStatus::First && !is_of_no_patient(view, &name.range) => unnamed.push(name),
            None => {}
        }
    }
    let placed = of_paragraphs(view, &mut unnamed, &seen);
    let references = tumour_references::references(view, &unnamed);
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
        mentions.extend(of_second_organ(view, name, &mention));
        mentions.push(mention);
    }
    mentions.extend(placed);
    if mentions.is_empty() {
        mentions = of_diagnosis(view, names);
    } else {
        let kinds: HashSet<&str> = mentions.iter().map(|mention| mention.kind).collect();
        // Of a tumour whose name states no organ, "uterine primary" states it.
        let is_placed = |mention: &TumourMention| mention.organ.is_some() && mention.kind != SOFT_TISSUE;
        if mentions.iter().all(|mention| is_placed(mention) || mention.kind == BLOOD_AND_LYMPH) {
            let others = primaries(view).into_iter().filter(|mention| !kinds.contains(mention.kind));
            mentions.extend(others.collect::<Vec<_>>());
        }
    }
    mentions.sort_by_key(|mention| mention.range.start);
    let mut bound_words = Vec::new();
    for kind in [TermKind::Treatment, TermKind::Marker] {
        for mention in view.terms(kind) {
            let organ =
                mention.term.tag("organ").filter(|organ| mention.term.is("surgery") && !AMBIGUOUS.contains(organ));
            let listed = || BOUND_WORDS.get(mention.term.name.to_lowercase().as_str()).cloned();
            let kinds = organ.map(|organ| vec![first_alike(organ)]).or_else(listed);
            bound_words.extend(kinds.map(|kinds| (view.folded.origin(&mention.range), kinds)));
        }
    }
    bound_words.sort_by_key(|(range, _)| range.start);
    TumourSigns {
        mentions,
        references,
        bound_words,
        organ_labels: tumour_references::organ_labels(view),
        homonyms: homonyms(view),
    }
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

/// Returns the mention of a malignancy, if it can distinguish a tumour from others.
fn mention(view: &NoteView<'_>, name: &NamedMalignancy) -> Option<TumourMention> {
    let key = cancer::key(name).or_else(|| name.term.is("head").then_some(name.term.name))?;
    if name.status == DiagnosisStatus::First || is_of_no_patient(view, &name.range) {
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

/// Returns the tumours that only "primary", a stage or a spread names: "a gastric primary", "a Dukes B rectal tumour",
/// "his metastatic prostate has been quiet".
fn primaries(view: &NoteView<'_>) -> Vec<TumourMention> {
    const NOUNS: [&str; 3] = [" primary", " tumour", " tumor"];
    const LONGEST_NOUN: usize = " primary".len() + 5;
    const STAGES: [&str; 3] = ["dukes a", "dukes b", "dukes c"];
    const REJECTIONS: [&str; 12] = [
        "rather than",
        "against",
        "versus",
        " vs",
        "over ",
        "exclud",
        "unlikely",
        "rule out",
        "not ",
        "possibl",
        " or ",
        "instead",
    ];
    let primary = |site: &Mention| {
        let organ = site.term.tag("primary").filter(|organ| !site.term.is("node") && !UNSPECIFIC.contains(organ))?;
        let ahead = view.folded.before(site.range.start, 16).trim_end();
        let has_stage = STAGES.iter().any(|stage| ahead.ends_with(stage));
        let is_short = sites::is_shortened_diagnosis(view, site);
        let after = view.folded.after(site.range.end, LONGEST_NOUN);
        let noun = NOUNS.iter().find(|noun| after.starts_with(**noun) && (has_stage || **noun == " primary"));
        let noun = if is_short { "" } else { noun? };
        let after = after.get(noun.len()..).unwrap_or_default();
        let ends = is_short
            || has_stage
            || after.is_empty()
            || after.starts_with([',', '.', ';', ':', ')', '\n'])
            || after.starts_with(" and ");
        let range = site.range.start..site.range.end + noun.len();
        let assertion = view.assertion(&range, Field::CancerType);
        let before = view.near(&(site.range.start..site.range.start), 48, 0);
        let rejected = REJECTIONS.iter().any(|word| before.contains(word));
        let stated = matches!(assertion, Assertion::Present | Assertion::Historical) && ends && !rejected;
        stated.then(|| TumourMention {
            name: format!("{organ} cancer"),
            kind: first_alike(organ),
            organ: Some(organ),
            histology: false,
            past: assertion == Assertion::Historical,
            certain: true,
            range: view.folded.origin(&range),
        })
    };
    view.terms(TermKind::Site).iter().filter_map(primary).collect()
}

/// Returns the names as one tumour of the diagnosis's organ, for a note that names the organ elsewhere or not at all.
fn of_diagnosis(view: &NoteView<'_>, names: &[NamedMalignancy]) -> Vec<TumourMention> {
    let counts = |name: &&NamedMalignancy| {
        name.term.is("head")
            && !name.term.is("weak")
            && name.status != DiagnosisStatus::First
            && !is_of_no_patient(view, &name.range)
    };
    let heads: Vec<&NamedMalignancy> = names.iter().filter(counts).collect();
    let organ = if heads.is_empty() { None } else { cancer::among(view, names).organ };
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

/// Returns the tumour of the second organ of a plural: "cancers of the rectum and of the prostate".
fn of_second_organ(view: &NoteView<'_>, name: &NamedMalignancy, first: &TumourMention) -> Option<TumourMention> {
    const REACH: usize = 60;
    let words = view.folded.slice(name.range.clone());
    let after = view.folded.after(name.range.end, 1);
    if !["cancers", "carcinomas", "tumors", "tumours"]
        .iter()
        .any(|plural| words.contains(plural) || format!("{words}{after}").ends_with(plural))
    {
        return None;
    }
    let near = view.around(&(name.range.start..name.range.end), 0, REACH);
    let mut sites = view.terms_in(TermKind::Site, &near).iter();
    let site = sites.find(|site| site.term.tag("primary").is_some_and(|organ| first_alike(organ) == first.kind))?;
    let second = sites.next()?;
    let between = view.folded.slice(site.range.end..second.range.start);
    let joined = [" and ", " and the ", " and of the ", " and of "].contains(&between);
    let organ = second.term.tag("primary").filter(|_| joined && !second.term.is("node"))?;
    Some(TumourMention {
        name: format!("{organ} cancer"),
        kind: first_alike(organ),
        organ: Some(organ),
        histology: false,
        range: view.folded.origin(&second.range),
        ..first.clone()
    })
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

impl TumourReader for RulesEngine {
    fn signs(&self, text: &Note, context: &Context<'_>) -> TumourSigns {
        let view = NoteView::with_context(text.as_str(), Cow::Borrowed(context));
        signs(&view, &cancer::names(&view))
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
