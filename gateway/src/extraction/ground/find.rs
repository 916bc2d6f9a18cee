//! The search for one value: by its own words first, then by words that mean it, then by what implies it.
//! What the note affirms is preferred to what it denies; a denial is reported only where nothing affirms.

use std::{
    cell::{Cell, LazyCell},
    ops::Range,
};

use super::{
    acronyms,
    align::{self, Match},
    index::Index,
    links, organs, pieces,
    query::{self, Query},
    results, stage, tnm,
};
use crate::extraction::{Assertion, Basis, Context, Field, Note, staging};

/// Most places that are given for one value.
const MOST_PLACES: usize = 4;

/// What was found for a value.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) basis: Basis,
    pub(super) rule: Option<&'static str>,
    pub(super) assertion: Assertion,
    /// Whether the note lets the value be in the record.
    pub(super) affirmed: bool,
    pub(super) ranges: Vec<Range<usize>>,
}

/// One note, read at most once for its words and once for what it says of them.
pub(super) struct Finder<'note> {
    index: LazyCell<Index, Box<dyn FnOnce() -> Index + 'note>>,
    text: &'note str,
    context: LazyCell<Context<'note>, Box<dyn FnOnce() -> Context<'note> + 'note>>,
    /// Whether the name of an examination may stand for the organ: "brain MRI: two metastases".
    by_examination: Cell<bool>,
}

impl<'note> Finder<'note> {
    pub(super) fn of(note: &'note Note) -> Self {
        Self {
            text: note.as_str(),
            index: LazyCell::new(Box::new(|| Index::of(note.as_str()))),
            context: LazyCell::new(Box::new(|| Context::of(note.as_str()))),
            by_examination: Cell::new(false),
        }
    }

    /// Searches one value of a field; nothing where the note neither affirms nor denies it.
    pub(super) fn find(&self, field: Field, value: &str) -> Option<Found> {
        let found = self.search(field, value);
        if found.is_some() || field != Field::MetastasisSite || self.by_examination.replace(true) {
            return found;
        }
        let found = self.search(field, value);
        self.by_examination.set(false);
        found
    }

    fn search(&self, field: Field, value: &str) -> Option<Found> {
        let mut denied = None;
        let ways: [&dyn Fn() -> Option<Found>; 7] = [
            &|| self.by_words(field, value),
            &|| self.by_link(field, value),
            &|| self.by_shorthand(field, value),
            &|| self.by_brackets(field, value),
            &|| self.without_order(field, value),
            &|| self.by_segments(field, value),
            &|| self.by_parts(field, value),
        ];
        for way in ways {
            match way() {
                Some(found) if found.affirmed => return Some(found),
                Some(found) => drop(denied.get_or_insert(found)),
                None => {}
            }
        }
        denied
    }

    /// The value's own words, then its words with synonyms for some.
    fn by_words(&self, field: Field, value: &str) -> Option<Found> {
        if field == Field::Stage
            && let Some(group) = staging::group(value)
        {
            return self.by_group(&group);
        }
        let query = Query::of(value, field);
        let matches = |loose: bool| {
            let mut matches = align::matches(&self.index, &query, loose);
            matches.retain(|place| {
                field != Field::CancerType || !organs::is_of_another(&self.index, &query, &place.range)
            });
            matches
        };
        let stated = self.choose(field, matches(false), Basis::Stated, None);
        if stated.as_ref().is_some_and(|found| found.affirmed) {
            return stated;
        }
        let loose = self.choose(field, matches(true), Basis::Normalized, None);
        match loose {
            Some(loose) if loose.affirmed || stated.is_none() => Some(loose),
            _ => stated,
        }
    }

    /// Whether an organ is named as the seat of the primary: the lung of "lung adenocarcinoma".
    fn names_primary(&self, range: &Range<usize>) -> bool {
        const HEADS: &[&str] =
            &["cancer", "carcinoma", "adenocarcinoma", "primary", "malignancy", "neoplasm", "squamous"];
        self.is_before(range, HEADS)
    }

    /// Whether an organ is named as what was examined: the bone of "bone scan".
    fn names_examination(&self, range: &Range<usize>) -> bool {
        const EXAMINATIONS: &[&str] =
            &["scan", "scintigraphy", "biopsy", "mri", "ct", "function", "enzymes", "density", "protection"];
        self.is_before(range, EXAMINATIONS)
    }

    fn is_before(&self, range: &Range<usize>, words: &[&str]) -> bool {
        let next = self.index.tokens().partition_point(|token| token.start < range.end);
        let next = self.index.tokens().get(next);
        next.is_some_and(|&token| token.gap == 1 && words.contains(&self.index.fold_of(token)))
    }

    fn by_group(&self, group: &staging::Group) -> Option<Found> {
        let of = |same: bool| {
            let groups = stage::groups(&self.index).into_iter();
            let like = groups.filter(|(named, _)| if same { named == group } else { named.is_of(group) });
            like.map(|(_, range)| Match { width: range.len(), range, rule: None }).collect::<Vec<_>>()
        };
        let stated = self.choose(Field::Stage, of(true), Basis::Stated, None);
        let substage = || self.choose(Field::Stage, of(false), Basis::Normalized, Some("substage"));
        stated.filter(|found| found.affirmed).or_else(substage)
    }

    /// Wordings that mean or imply the value. What only implies must be affirmed.
    fn by_link(&self, field: Field, value: &str) -> Option<Found> {
        let mut denied = None;
        for link in links::of(field, &query::key(value)) {
            for wording in &link.wordings {
                let mut matches = align::matches(&self.index, wording, false);
                matches.retain(|place| link.beside.stands_by(&self.index, &place.range));
                match self.choose(link.judged_as, matches, link.basis, Some(link.rule)) {
                    Some(found) if found.affirmed => return Some(found),
                    Some(found) if link.basis == Basis::Normalized => drop(denied.get_or_insert(found)),
                    _ => {}
                }
            }
        }
        denied
    }

    /// What clinicians write in short: "best response: PR", "T2 N1" of a breast cancer, "ER 95 %".
    fn by_shorthand(&self, field: Field, value: &str) -> Option<Found> {
        let (ranges, basis, rule) = match field {
            Field::Response => {
                let places = acronyms::places(&self.index, self.text, &query::key(value));
                (places, Basis::Normalized, "response_initials")
            }
            Field::Stage => {
                let places = tnm::places(&self.index, value.trim());
                (places, Basis::Inferred, "tnm_implies_stage_group")
            }
            Field::Biomarker => {
                let found = self.find(field, &results::by_percentage(value)?)?;
                return Some(Found { basis: Basis::Normalized, rule: Some("percentage_tells_result"), ..found });
            }
            _ => return None,
        };
        let matches = ranges.into_iter().map(|range| Match { width: range.len(), range, rule: None }).collect();
        self.choose(field, matches, basis, Some(rule))
    }

    /// "BRCA2 (germline)": both the value and what qualifies it stand in the note.
    fn by_brackets(&self, field: Field, value: &str) -> Option<Found> {
        let (outside, inside) = pieces::brackets(value)?;
        let mut all = vec![self.find(field, outside.trim())?];
        for &within in &inside {
            for piece in pieces::pieces(within) {
                all.push(self.find(field, piece)?);
            }
        }
        let found = together(all)?;
        // A result in brackets must be the symbol's own also in the note: "PD-L1 (high)".
        let symbol = results::symbol_of(&outside).filter(|_| matches!(field, Field::Biomarker | Field::GeneMutation));
        let tied = symbol.is_none_or(|symbol| {
            let mut results = inside.iter().filter(|within| results::is_bare_result(within));
            results.all(|within| self.find(field, &format!("{symbol} {within}")).is_some())
        });
        tied.then_some(found)
    }

    /// "initial partial response": the response is there, that it was the first is the reader's order.
    fn without_order(&self, field: Field, value: &str) -> Option<Found> {
        let words: Vec<&str> = value.split_whitespace().collect();
        let kept: Vec<&str> = words.iter().copied().filter(|word| !query::only_orders(word)).collect();
        if kept.is_empty() || kept.len() == words.len() {
            return None;
        }
        let found = self.find(field, &kept.join(" "))?;
        let basis = if found.basis == Basis::Stated { Basis::Normalized } else { found.basis };
        Some(Found { basis, rule: found.rule.or(Some("order_left_out")), ..found })
    }

    /// "partial response then progression": each is in the note.
    fn by_segments(&self, field: Field, value: &str) -> Option<Found> {
        if field != Field::Response {
            return None;
        }
        let pieces = pieces::segments(value);
        if pieces.len() < 2 {
            return None;
        }
        together(pieces.into_iter().map(|piece| self.find(field, piece)).collect::<Option<Vec<_>>>()?)
    }

    /// A tumour whose organ and histology are named in different places.
    fn by_parts(&self, field: Field, value: &str) -> Option<Found> {
        if field != Field::CancerType {
            return None;
        }
        let query = Query::of(value, field);
        if query.words.len() < 2 {
            return None;
        }
        organs::stretches(&self.index, &query).into_iter().find_map(|words| {
            let each = words.into_iter().map(|places| {
                let found = self.choose(field, places, Basis::Inferred, None)?;
                Some(Found { ranges: found.ranges.into_iter().take(1).collect(), ..found })
            });
            let mut found = together(each.collect::<Option<Vec<_>>>()?)?;
            (found.basis, found.rule) = (Basis::Inferred, Some("named_in_parts"));
            found.affirmed.then_some(found)
        })
    }

    /// The tightest of the places that the note affirms, else of all.
    fn choose(&self, field: Field, mut matches: Vec<Match>, basis: Basis, rule: Option<&'static str>) -> Option<Found> {
        if field == Field::MetastasisSite {
            matches.retain(|place| {
                let examined = !self.by_examination.get() && self.names_examination(&place.range);
                !examined && !self.names_primary(&place.range)
            });
        }
        if field == Field::Biomarker {
            let linked = rule.is_some();
            matches
                .retain(|place| !((linked || place.rule.is_some()) && results::are_turned(&self.index, &place.range)));
        }
        if matches.is_empty() {
            return None;
        }
        let judged: Vec<(Match, Assertion)> = matches
            .into_iter()
            .map(|place| {
                let assertion = self.context.assess(place.range.clone(), field);
                (place, assertion)
            })
            .collect();
        let affirmed = judged.iter().any(|(_, assertion)| assertion.in_record(field));
        let eligible = || judged.iter().filter(|(_, assertion)| !affirmed || assertion.in_record(field));
        let tightest = eligible().map(|(place, _)| place.width).min()?;
        let chosen: Vec<&(Match, Assertion)> = eligible().filter(|(place, _)| place.width == tightest).collect();
        let (first, assertion) = chosen.first()?;
        let rule = rule.or(first.rule);
        // A plural or another order of the words is no synonym.
        let basis = if basis == Basis::Normalized && rule.is_none() { Basis::Stated } else { basis };
        let alike = chosen.iter().filter(|(place, _)| rule == Some("substage") || place.rule == first.rule);
        let ranges = alike.map(|(place, _)| place.range.clone()).take(MOST_PLACES).collect();
        Some(Found { basis, rule, assertion: *assertion, affirmed, ranges })
    }
}

/// Several findings as one: as weak as the weakest, denied where one is.
fn together(all: Vec<Found>) -> Option<Found> {
    let mut all = all.into_iter();
    let mut whole = all.next()?;
    for one in all {
        if strength(one.basis) < strength(whole.basis) {
            whole.basis = one.basis;
        }
        whole.rule = whole.rule.or(one.rule);
        if whole.affirmed && !one.affirmed {
            (whole.affirmed, whole.assertion) = (false, one.assertion);
        }
        whole.ranges.extend(one.ranges);
    }
    whole.ranges.sort_by_key(|range| (range.start, range.end));
    whole.ranges.dedup();
    Some(whole)
}

fn strength(basis: Basis) -> u8 {
    match basis {
        Basis::Stated => 3,
        Basis::Normalized => 2,
        Basis::Inferred => 1,
        Basis::Unsupported => 0,
    }
}
