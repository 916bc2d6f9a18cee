//! Identifies the tumours of a note: which tumours it names, which one is the index tumour, and which tumour each part
//! of the text refers to.
//!
//! The seven flat fields are those of the index tumour. A second tumour is accepted only if the note names its organ or
//! kind. Metastases, and diagnoses that the note revises later, do not count as tumours. Where the note does not say
//! which tumour it is about, no role is `index` and the values of all stay in the fields.

mod answer;
mod blocks;
mod item_labels;
mod organs;
mod references;
mod roles;
mod same_organ;
mod segments;
mod side;
mod signs;
#[cfg(test)]
mod tests;
mod units;

use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Field, ground::Grounded};
use crate::steps;

pub use answer::{Tumour, TumourPlace};
pub(super) use answer::{id, shown};
pub(crate) use organs::first_alike;
pub(crate) use same_organ::histology;
pub(crate) use signs::{TumourMention, TumourReader, TumourReference, TumourSigns};

/// Maximum number of tumours that are distinguished. A text with more of them is a list of diseases and not a note on a
/// patient.
const MOST_TUMOURS: usize = 8;

/// The kind whose bound words do not count beside a gynaecologic tumour.
const BREAST: &str = "breast";
/// Antihormones of the breast also treat tumours of these organs.
const GYNAECOLOGIC: [&str; 2] = ["ovary", "uterus"];

/// The kinds of tumours after which hormones are taken for years.
const OF_HORMONES: [&str; 3] = [BREAST, "prostate", "thyroid"];

/// What a note says about one of its tumours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "index")]
pub enum TumourRole {
    /// The tumour that the note is about; the seven fields are its own.
    Index,
    /// Another tumour that the patient has now, or one of several that the note gives the same weight.
    Synchronous,
    /// A tumour that the patient had before.
    Previous,
}

/// A tumour that a note names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedTumour {
    /// Its most specific name in the note.
    pub(crate) name: String,
    pub(crate) organ: Option<&'static str>,
    pub(crate) role: TumourRole,
    /// Where the text names it, in order.
    pub(crate) places: Vec<Range<usize>>,
    kind: &'static str,
    /// What distinguishes it from another tumour of the same kind; empty if there is none.
    variant: &'static str,
    past: bool,
    certain: bool,
}

/// The tumours of a text, and the tumour that each stretch refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tumours {
    named: Vec<NamedTumour>,
    /// In order and without gaps inside sentences; the tumour is `None` where the text does not say.
    segments: Vec<(Range<usize>, Option<usize>)>,
}

impl Tumours {
    /// Reads the tumours of a text.
    pub(crate) fn of(text: &str, signs: &TumourSigns) -> Self {
        let mut named: Vec<NamedTumour> = Vec::new();
        let mut places: Vec<units::Name> = Vec::new();
        let mut best: Vec<(bool, bool, bool, usize)> = Vec::new();
        let lower = if signs.mentions.len() > 1 { text.to_ascii_lowercase() } else { String::new() };
        for (mention, variant) in signs.mentions.iter().zip(same_organ::variants(&lower, &signs.mentions)) {
            let Some(variant) = variant else { continue };
            let at = named.iter().position(|tumour| (tumour.kind, tumour.variant) == (mention.kind, variant));
            let at = match at {
                Some(at) => at,
                None if named.len() == MOST_TUMOURS => continue,
                None => {
                    named.push(NamedTumour {
                        name: String::new(),
                        organ: mention.organ,
                        role: TumourRole::Index,
                        places: Vec::new(),
                        kind: mention.kind,
                        variant,
                        past: true,
                        certain: false,
                    });
                    best.push((false, false, false, 0));
                    named.len() - 1
                }
            };
            let (Some(tumour), Some(best)) = (named.get_mut(at), best.get_mut(at)) else { continue };
            let histology = mention.histology;
            let words = mention.name.split(' ').count();
            let telling = (
                !mention.past,
                histology && is_invasive(&mention.name),
                histology && !is_component(&mention.name),
                words,
            );
            if tumour.name.is_empty() || telling > *best {
                (tumour.name, *best) = (mention.name.clone(), telling);
            }
            tumour.organ = tumour.organ.or(mention.organ);
            tumour.past &= mention.past;
            tumour.certain |= mention.certain;
            tumour.places.push(mention.range.clone());
            places.push((mention.range.clone(), at));
        }
        if named.len() < 2 {
            let whole = (!named.is_empty()).then_some((0..text.len(), Some(0)));
            return Self { named, segments: whole.into_iter().collect() };
        }
        let places = references::with_references(&lower, &named, places, signs);
        let units = units::cut(text, &places);
        steps::count(text.len());
        let bound: Vec<units::Name> = signs
            .bound_words
            .iter()
            .filter(|(_, kinds)| {
                !kinds.contains(&BREAST) || !named.iter().any(|tumour| GYNAECOLOGIC.contains(&tumour.kind))
            })
            .filter_map(|(range, kinds)| Some((range.clone(), only_of_any(&named, kinds)?)))
            .collect();
        // Hormones are taken for years after a tumour, so their use does not make it active.
        let telling =
            |(_, tumour): &&units::Name| named.get(*tumour).is_some_and(|tumour| !OF_HORMONES.contains(&tumour.kind));
        let telling: Vec<units::Name> = bound.iter().filter(telling).cloned().collect();
        let past: Vec<bool> = named.iter().map(|tumour| tumour.past).collect();
        let certain: Vec<bool> = named.iter().map(|tumour| tumour.certain).collect();
        for (tumour, role) in named.iter_mut().zip(roles::decide(&lower, &units, &telling, &past, &certain)) {
            tumour.role = role;
        }
        let index = named.iter().position(|tumour| tumour.role == TumourRole::Index);
        let labels =
            signs.organ_labels.iter().filter_map(|(range, kind)| Some((range.clone(), only_of(&named, kind)?)));
        let labels: Vec<units::Name> = labels.collect();
        let segments = segments::assign(&lower, &units, &bound, &labels, index);
        Self { named, segments }
    }

    /// Returns the tumours in the order in which the text names them.
    pub(crate) fn named(&self) -> &[NamedTumour] {
        &self.named
    }

    /// Returns whether there is more than one tumour.
    pub(crate) fn are_several(&self) -> bool {
        self.named.len() > 1
    }

    /// Returns the tumour that the text is about, if it says which one.
    pub(crate) fn index(&self) -> Option<usize> {
        self.named.iter().position(|tumour| tumour.role == TumourRole::Index)
    }

    /// Returns the tumour that the text refers to at a place; `None` if it does not say.
    pub(crate) fn at(&self, place: usize) -> Option<usize> {
        let after = self.segments.partition_point(|(range, _)| range.end <= place);
        self.segments.get(after).filter(|(range, _)| range.start <= place).and_then(|(_, tumour)| *tumour)
    }

    /// Returns whether a place refers to another tumour than the index, where there is an index.
    pub(crate) fn is_of_other(&self, place: usize) -> bool {
        self.index().is_some_and(|index| self.at(place).is_some_and(|tumour| tumour != index))
    }

    /// Removes from a record the values that belong to another tumour than the index, and from the values that stay the
    /// places that belong to another tumour. A value without a place of its own in the note stays.
    ///
    /// If the record names only another tumour, its engine read the note as one about that tumour, so which one is the
    /// index is not certain: every value stays, and no tumour is the index.
    ///
    /// `again` searches a value in the text without the stretches of other tumours. It finds a place that the first
    /// search passed over: a synonym, or one after many places of another tumour.
    pub(super) fn leave_out<'a>(
        &mut self,
        grounded: &mut [Grounded<'a>],
        again: impl Fn(Field, &'a str) -> Option<Grounded<'a>>,
    ) {
        let is_of_other = |one: &Grounded<'_>| one.spans.iter().all(|span| self.is_of_other(span.start()));
        let is_name = |one: &&Grounded<'_>| one.field == Field::CancerType && one.in_record() && !one.spans.is_empty();
        let mut names = grounded.iter().filter(is_name).peekable();
        if names.peek().is_some() && names.all(is_of_other) {
            let index = self.named.iter_mut().filter(|tumour| tumour.role == TumourRole::Index);
            index.for_each(|tumour| tumour.role = TumourRole::Synchronous);
        }
        if self.index().is_none() || !self.are_several() {
            return;
        }
        let is_own = |one: &Grounded<'_>, at: usize| one.in_record() && !self.is_of_other(at);
        let own: Vec<(Field, Range<usize>)> = grounded
            .iter()
            .flat_map(|one| one.spans.iter().map(move |span| (one, span.start()..span.end())))
            .filter(|(one, range)| is_own(one, range.start))
            .map(|(one, range)| (one.field, range))
            .collect();
        let is_taken = |field: Field, start: usize, end: usize| {
            own.iter().any(|(other, range)| *other == field && range.start < end && start < range.end)
        };
        for one in grounded.iter_mut().filter(|one| !one.spans.is_empty()) {
            if one.spans.iter().any(|span| !self.is_of_other(span.start())) {
                one.spans.retain(|span| !self.is_of_other(span.start()));
            } else if one.in_record() {
                // A place that another value of the record already has is that value's.
                let found = again(one.field, one.value);
                let is_free = |found: &Grounded<'_>| {
                    !found.spans.iter().any(|span| is_taken(found.field, span.start(), span.end()))
                };
                match found.filter(is_free) {
                    Some(found) => *one = found,
                    None => one.give_to_other_tumour(),
                }
            }
        }
    }

    /// Makes a value one of another tumour, with its places there; `None` if the note has none. A value that the note
    /// itself keeps out of the record, such as a past cancer, keeps its assertion.
    pub(super) fn keep_others<'a>(&self, mut value: Grounded<'a>) -> Option<Grounded<'a>> {
        value.spans.retain(|span| self.is_of_other(span.start()));
        if value.spans.is_empty() {
            return None;
        }
        let kept_out = value.assertion.is_some_and(|assertion| !assertion.in_record(value.field));
        if !kept_out {
            value.give_to_other_tumour();
        }
        Some(value.left_out())
    }

    /// Returns the text with blanks in place of the stretches for which `keep` is false, so that offsets stay.
    pub(crate) fn only(&self, text: &str, keep: impl Fn(Option<usize>) -> bool) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for (range, tumour) in &self.segments {
            if !keep(*tumour) {
                let stretch = bytes.get_mut(range.clone()).unwrap_or_default();
                stretch.iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
            }
        }
        // Segments begin and end at characters, so the text stays UTF-8.
        String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
    }
}

/// Returns the only tumour of a kind.
fn only_of(named: &[NamedTumour], kind: &str) -> Option<usize> {
    only_of_any(named, &[kind])
}

/// Returns the only tumour of some kinds.
fn only_of_any(named: &[NamedTumour], kinds: &[&str]) -> Option<usize> {
    let mut of_kind = named.iter().enumerate().filter(|(_, tumour)| kinds.contains(&tumour.kind));
    let (at, _) = of_kind.next()?;
    of_kind.next().is_none().then_some(at)
}

/// Returns whether a name says that the tumour is invasive. Reports name the in situ component of such a tumour too.
fn is_invasive(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["invasi", "infiltrat", "malignant melanoma"].iter().any(|word| lower.contains(word))
        && !["non-invasi", "in situ", "in-situ"].iter().any(|word| lower.contains(word))
}

/// Returns whether a name is that of the in situ component of a tumour, where the tumour has another name too.
fn is_component(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace('-', " ");
    (lower.contains("in situ") && !lower.contains("melanoma")) || matches!(lower.as_str(), "dcis" | "lcis" | "cis")
}
