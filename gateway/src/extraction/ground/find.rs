//! Searches the note for one value: first by its own words, then by wordings that mean it, then by wordings that imply
//! it. Affirmed matches are preferred; a denial is reported only if no match is affirmed.

use std::{
    borrow::Cow,
    cell::{Cell, LazyCell},
    ops::Range,
};

use super::{
    acronyms,
    align::{self, Match},
    form, links,
    lookup::IndexedNote,
    organs, pieces, protein,
    query::{self, Query, QueryWord},
    results,
    roles::Role,
    stage, tnm,
};
use crate::extraction::{Assertion, Basis, Context, Field, Note, staging};

/// Maximum number of ranges that one search returns for a value.
const MAX_RANGES: usize = 4;

/// The result of the search for one value.
#[derive(Clone, Debug)]
pub(super) struct Occurrences {
    pub(super) basis: Basis,
    pub(super) rule: Option<&'static str>,
    pub(super) assertion: Assertion,
    /// Whether the note allows the value in the record.
    pub(super) affirmed: bool,
    pub(super) ranges: Vec<Range<usize>>,
}

/// Searches one note. Its words and their context are read on first use, each at most once.
pub(super) struct Finder<'note> {
    index: LazyCell<IndexedNote, Box<dyn FnOnce() -> IndexedNote + 'note>>,
    text: &'note str,
    context: LazyCell<Cow<'note, Context<'note>>, Box<dyn FnOnce() -> Cow<'note, Context<'note>> + 'note>>,
    /// Whether the name of an examination may count as the organ: "brain MRI: two metastases".
    examination_counts: Cell<bool>,
}

impl<'note> Finder<'note> {
    /// Returns a finder for a note whose context may be known.
    pub(super) fn of(note: &'note Note, context: Option<&'note Context<'note>>) -> Self {
        Self {
            text: note.as_str(),
            index: LazyCell::new(Box::new(|| IndexedNote::of(note.as_str()))),
            context: LazyCell::new(Box::new(move || {
                context.map_or_else(|| Cow::Owned(Context::of(note.as_str())), Cow::Borrowed)
            })),
            examination_counts: Cell::new(false),
        }
    }

    /// Returns the context of the note's words.
    pub(super) fn context(&self) -> &Context<'note> {
        &self.context
    }

    /// Searches for one value of a field; returns `None` if the note neither affirms nor denies it.
    pub(super) fn find(&self, field: Field, value: &str) -> Option<Occurrences> {
        let found = self.search(field, value);
        if found.is_some() || field != Field::MetastasisSite || self.examination_counts.replace(true) {
            return found;
        }
        let found = self.search(field, value);
        self.examination_counts.set(false);
        found
    }

    fn search(&self, field: Field, value: &str) -> Option<Occurrences> {
        let mut denied = None;
        let strategies: [&dyn Fn() -> Option<Occurrences>; 7] = [
            &|| self.by_words(field, value),
            &|| self.by_link(field, value),
            &|| self.by_shorthand(field, value),
            &|| self.by_brackets(field, value),
            &|| self.without_order_words(field, value),
            &|| self.by_segments(field, value),
            &|| self.by_parts(field, value),
        ];
        for strategy in strategies {
            match strategy() {
                Some(found) if found.affirmed => return Some(found),
                Some(found) => drop(denied.get_or_insert(found)),
                None => {}
            }
        }
        let planned = denied.as_ref().is_some_and(|found| found.assertion == Assertion::Planned);
        self.of_earlier_phase(field, value).filter(|_| planned).or(denied)
    }

    /// Searches for a drug of which only a further phase is planned: the pembrolizumab of a planned "maintenance
    /// pembrolizumab", if the note says that it was given.
    fn of_earlier_phase(&self, field: Field, value: &str) -> Option<Occurrences> {
        const PHASES: [&str; 4] = ["maintenance ", "continued ", "continuation ", "ongoing "];
        let drug = PHASES.iter().find_map(|phase| value.strip_prefix(phase)).filter(|_| field == Field::Treatment)?;
        let found = self.by_words(field, drug).filter(|found| found.affirmed)?;
        Some(Occurrences { basis: Basis::Normalized, rule: found.rule.or(Some("phase_left_out")), ..found })
    }

    /// Searches by the value's own words, then with synonyms of its words.
    fn by_words(&self, field: Field, value: &str) -> Option<Occurrences> {
        if field == Field::Stage
            && let Some(group) = staging::group(value)
        {
            return self.by_group(&group);
        }
        let query = Query::of(value, field);
        let matches = |loose: bool| {
            let mut matches = align::matches(&self.index, &query, loose);
            matches.retain(|place| {
                field != Field::CancerType
                    || !(self.spans_sentences(&place.range) || organs::is_of_another(&self.index, &query, &place.range))
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

    /// Returns whether a stretch continues from one sentence or row into the next: "Metastases: bone, lung", and below
    /// it "Prostate cancer".
    fn spans_sentences(&self, range: &Range<usize>) -> bool {
        self.context.sentence_at(range.start) != self.context.sentence_at(range.end.saturating_sub(1))
    }

    /// Returns whether an organ is named as the site of the primary: the lung of "lung adenocarcinoma".
    fn names_primary(&self, range: &Range<usize>) -> bool {
        const HEADS: &[&str] =
            &["cancer", "carcinoma", "adenocarcinoma", "primary", "malignancy", "neoplasm", "squamous"];
        self.is_followed_by(range, HEADS)
    }

    /// Returns whether an organ is named as the object of an examination: the bone of "bone scan".
    fn names_examination(&self, range: &Range<usize>) -> bool {
        const EXAMINATIONS: &[&str] =
            &["scan", "scintigraphy", "biopsy", "mri", "ct", "function", "enzymes", "density", "protection"];
        self.is_followed_by(range, EXAMINATIONS)
    }

    fn is_followed_by(&self, range: &Range<usize>, words: &[&str]) -> bool {
        let next = self.index.tokens().partition_point(|token| token.start < range.end);
        let next = self.index.tokens().get(next);
        next.is_some_and(|&token| token.gap == 1 && words.contains(&self.index.fold_of(token)))
    }

    fn by_group(&self, group: &staging::Group) -> Option<Occurrences> {
        let groups = stage::groups(&self.index);
        let matches = |same: bool| {
            let matching = groups.iter().filter(|(named, _)| if same { named == group } else { named.is_of(group) });
            let matching = matching.map(|(_, range)| Match { width: range.len(), range: range.clone(), rule: None });
            matching.collect::<Vec<_>>()
        };
        let stated = self.choose(Field::Stage, matches(true), Basis::Stated, None);
        let substage = || self.choose(Field::Stage, matches(false), Basis::Normalized, Some("substage"));
        stated.filter(|found| found.affirmed).or_else(substage)
    }

    /// Searches by listed wordings that mean or imply the value. A wording that only implies it must be affirmed.
    fn by_link(&self, field: Field, value: &str) -> Option<Occurrences> {
        let mut denied = None;
        for link in links::of(field, &form::key(value)) {
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

    /// Searches by the abbreviations of clinicians: "best response: PR", "T2 N1" of a breast cancer, "ER 95 %".
    fn by_shorthand(&self, field: Field, value: &str) -> Option<Occurrences> {
        let (ranges, basis, rule) = match field {
            Field::Response => {
                let places = acronyms::places(&self.index, self.text, &form::key(value));
                (places, Basis::Normalized, "response_initials")
            }
            Field::Stage => tnm::ranges(&self.index, self.text, value.trim()),
            Field::Biomarker => {
                let found = self.find(field, &results::by_percentage(value)?)?;
                return Some(Occurrences { basis: Basis::Normalized, rule: Some("percentage_tells_result"), ..found });
            }
            Field::GeneMutation => {
                let found = self.by_words(field, &protein::other_notation(value)?)?;
                return Some(Occurrences { basis: Basis::Normalized, rule: Some("amino_acid_notation"), ..found });
            }
            _ => return None,
        };
        let matches = ranges.into_iter().map(|range| Match { width: range.len(), range, rule: None }).collect();
        self.choose(field, matches, basis, Some(rule))
    }

    /// Searches separately for a value and its qualifiers in brackets, as in "BRCA2 (germline)"; all must be found.
    fn by_brackets(&self, field: Field, value: &str) -> Option<Occurrences> {
        let (outside, inside) = pieces::brackets(value)?;
        let mut all = vec![self.find(field, outside.trim())?];
        for &qualifier in &inside {
            for piece in pieces::pieces(qualifier) {
                // A receptor in the brackets of a diagnosis is a biomarker: "breast cancer (ductal, HER2-positive)".
                let is_status = field == Field::CancerType && results::symbol_of(piece).is_some();
                all.push(self.find(if is_status { Field::Biomarker } else { field }, piece)?);
            }
        }
        let found = combine(all)?;
        // A result in brackets must belong to the same symbol in the note: "PD-L1 (high)".
        let symbol = results::symbol_of(&outside).filter(|_| matches!(field, Field::Biomarker | Field::GeneMutation));
        let results_match = symbol.is_none_or(|symbol| {
            let mut results = inside.iter().filter(|qualifier| results::is_bare_result(qualifier));
            results.all(|qualifier| self.find(field, &format!("{symbol} {qualifier}")).is_some())
        });
        results_match.then_some(found)
    }

    /// Searches without words that only give an order. For "initial partial response" the note has the response; the
    /// model added the order.
    fn without_order_words(&self, field: Field, value: &str) -> Option<Occurrences> {
        let words: Vec<&str> = value.split_whitespace().collect();
        let (dropped, kept): (Vec<&str>, Vec<&str>) = words.iter().copied().partition(|word| query::only_orders(word));
        if kept.is_empty() || dropped.is_empty() {
            return None;
        }
        let found = self.find(field, &kept.join(" "))?;
        let basis = if found.basis == Basis::Stated { Basis::Normalized } else { found.basis };
        let found = Occurrences { basis, rule: found.rule.or(Some("order_left_out")), ..found };
        // A value that calls itself planned is not one that was given.
        let planned = field == Field::Treatment && dropped.into_iter().any(query::says_planned);
        Some(if planned { Occurrences { assertion: Assertion::Planned, affirmed: false, ..found } } else { found })
    }

    /// Searches for each phase of a response, as in "partial response then progression"; all must be found.
    fn by_segments(&self, field: Field, value: &str) -> Option<Occurrences> {
        if field != Field::Response {
            return None;
        }
        let pieces = pieces::segments(value);
        if pieces.len() < 2 || !self.sites_match(value) {
            return None;
        }
        combine(pieces.into_iter().map(|piece| self.find(field, piece)).collect::<Option<Vec<_>>>()?)
    }

    /// Returns whether each of several responses has the site that the value gives it: "progression in liver and
    /// partial response in bone". One response may have its site anywhere.
    fn sites_match(&self, value: &str) -> bool {
        let phases = pieces::phases(value);
        let mut placed = phases.iter().filter(|phase| phase.contains(" in ") || phase.contains(" at "));
        phases.len() < 2 || placed.all(|phase| self.by_words(Field::Response, phase).is_some())
    }

    /// Searches for a tumour whose organ and histology the note names in different places.
    fn by_parts(&self, field: Field, value: &str) -> Option<Occurrences> {
        if field != Field::CancerType {
            return None;
        }
        let query = Query::of(value, field);
        if query.words.len() < 2 || !self.qualifiers_match(&query) {
            return None;
        }
        organs::stretches(&self.index, &query).into_iter().find_map(|words| {
            let each = words.into_iter().map(|places| {
                let found = self.choose(field, places, Basis::Inferred, None)?;
                Some(Occurrences { ranges: found.ranges.into_iter().take(1).collect(), ..found })
            });
            let mut found = combine(each.collect::<Option<Vec<_>>>()?)?;
            (found.basis, found.rule) = (Basis::Inferred, Some("named_in_parts"));
            found.affirmed.then_some(found)
        })
    }

    /// Returns whether each result and side of a query is next to the same word in the note.
    fn qualifiers_match(&self, query: &Query) -> bool {
        let pair = |first: Option<&QueryWord>, second: Option<&QueryWord>, field: Field| {
            let (Some(first), Some(second)) = (first, second) else { return true };
            let pair = Query::of(&format!("{} {}", first.form.folded, second.form.folded), field);
            !align::matches(&self.index, &pair, true).is_empty()
        };
        query.words.iter().enumerate().all(|(at, word)| {
            let before = at.checked_sub(1).and_then(|before| query.words.get(before));
            match word.role {
                Role::Name => true,
                Role::Result | Role::Alteration => pair(before, Some(word), Field::Biomarker),
                Role::Side => pair(Some(word), query.words.get(at + 1), Field::CancerType),
                Role::Ordered => false,
            }
        })
    }

    /// Returns the narrowest of the matches that the note affirms or, if it affirms none, of all matches.
    fn choose(
        &self,
        field: Field,
        mut matches: Vec<Match>,
        basis: Basis,
        rule: Option<&'static str>,
    ) -> Option<Occurrences> {
        if field == Field::MetastasisSite {
            matches.retain(|place| {
                let examined = !self.examination_counts.get() && self.names_examination(&place.range);
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
        let assessed: Vec<(Match, Assertion)> = matches
            .into_iter()
            .map(|place| {
                let assertion = self.context.assess(place.range.clone(), field);
                (place, assertion)
            })
            .collect();
        let affirmed = assessed.iter().any(|(_, assertion)| assertion.in_record(field));
        let eligible = || assessed.iter().filter(|(_, assertion)| !affirmed || assertion.in_record(field));
        let tightest = eligible().map(|(place, _)| place.width).min()?;
        let chosen: Vec<&(Match, Assertion)> = eligible().filter(|(place, _)| place.width == tightest).collect();
        let (first, assertion) = chosen.first()?;
        let rule = rule.or(first.rule);
        // A plural or another word order is not a synonym.
        let basis = if basis == Basis::Normalized && rule.is_none() { Basis::Stated } else { basis };
        let with_same_rule = chosen.iter().filter(|(place, _)| rule == Some("substage") || place.rule == first.rule);
        let ranges = with_same_rule.map(|(place, _)| place.range.clone()).take(MAX_RANGES).collect();
        Some(Occurrences { basis, rule, assertion: *assertion, affirmed, ranges })
    }
}

/// Combines several findings into one with the weakest basis; it is denied if one of them is denied.
fn combine(all: Vec<Occurrences>) -> Option<Occurrences> {
    let mut all = all.into_iter();
    let mut whole = all.next()?;
    for other in all {
        if strength(other.basis) < strength(whole.basis) {
            whole.basis = other.basis;
        }
        whole.rule = whole.rule.or(other.rule);
        if whole.affirmed && !other.affirmed {
            (whole.affirmed, whole.assertion) = (false, other.assertion);
        }
        whole.ranges.extend(other.ranges);
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
