//! Brings the tumours of the notes together: which tumour of one note is which of another.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use super::{
    Contradiction, ContradictionKind, DateSource, FieldTimelines, Mention, PatientNote, PatientTumour, Statement,
    TimelineDate, TimelineTnm, TumourInNote,
    reading::{FormulaReading, TumourReading},
    time,
};
use crate::{
    extraction::{first_alike, histology},
    steps,
};

/// Words that name no tumour in particular.
const GENERIC: [&str; 12] = [
    "cancer",
    "carcinoma",
    "adenocarcinoma",
    "malignancy",
    "malignant",
    "neoplasm",
    "tumor",
    "tumour",
    "metastatic",
    "advanced",
    "recurrent",
    "unknown",
];
/// Words that do not distinguish names of tumours.
const FILLING: [&str; 8] = ["of", "the", "primary", "left", "right", "stage", "invasive", "infiltrating"];
/// The most tumours of a patient. Notes that name more are not of one patient; the values of further tumours belong to none.
const MOST_TUMOURS: usize = 64;
/// The most formulas of one tumour.
const MOST_FORMULAS: usize = 256;
/// Years by which the dates of one tumour in two notes may differ.
const SAME_YEARS: u16 = 1;
const PREVIOUS: &str = "previous";
/// The side of tumours on both.
const BILATERAL: &str = "bilateral";

/// The tumours of a patient.
#[derive(Debug, Default)]
pub(super) struct LinkedTumours {
    pub(super) tumours: Vec<LinkedTumour>,
    /// The tumour of the patient, by the position of the note and the id in its answer.
    of_note: HashMap<(usize, String), usize>,
    /// Tumours that may be one of several others.
    unclear: Vec<(usize, Vec<usize>)>,
    /// Whether the notes name more tumours than are kept.
    too_many: bool,
}

/// One tumour of the patient.
#[derive(Clone, Debug)]
pub(super) struct LinkedTumour {
    name: String,
    /// The words that distinguish the name from others.
    words: Vec<String>,
    /// The codes that name it exactly.
    codes: Vec<String>,
    site: Option<String>,
    side: Option<String>,
    histology: Option<&'static str>,
    /// The year beside its name, where notes call it past or current.
    years: Vec<u16>,
    is_past: bool,
    /// The position of each note that names it, and of the tumour in that note.
    places: Vec<(usize, usize)>,
}

/// Returns the id of a tumour of the patient by its number from 0.
pub(super) fn id(number: usize) -> String {
    format!("p{}", number + 1)
}

impl LinkedTumours {
    /// Links the tumours of notes, which are in order of time.
    pub(super) fn of(notes: &[PatientNote]) -> Self {
        let mut linked = Self::default();
        for (at, note) in notes.iter().enumerate() {
            let mut taken: Vec<usize> = Vec::new();
            for (tumour_at, tumour) in note.reading.tumours.iter().enumerate() {
                let seen = LinkedTumour::of(tumour, (at, tumour_at));
                steps::count(linked.tumours.len());
                let candidates: Vec<usize> = (0..linked.tumours.len())
                    .filter(|known| !taken.contains(known))
                    .filter(|known| linked.tumours.get(*known).is_some_and(|known| known.may_be(&seen)))
                    .collect();
                // Two names of diseases of blood or lymph may be of one disease that changed, or of two.
                let unsure: Vec<usize> = if candidates.is_empty() && seen.site.is_none() {
                    (0..linked.tumours.len())
                        .filter(|at| !taken.contains(at))
                        .filter(|at| linked.tumours.get(*at).is_some_and(|known| known.site.is_none()))
                        .collect()
                } else {
                    Vec::new()
                };
                let number = match &*linked.best(&candidates, &seen) {
                    [one] => *one,
                    _ if linked.tumours.len() == MOST_TUMOURS => {
                        linked.too_many = true;
                        continue;
                    }
                    several => {
                        let number = linked.tumours.len();
                        let others = if several.is_empty() { unsure } else { several.to_vec() };
                        if !others.is_empty() {
                            linked.unclear.push((number, others));
                        }
                        linked.tumours.push(seen.clone());
                        number
                    }
                };
                if let Some(known) = linked.tumours.get_mut(number) {
                    known.also(seen);
                }
                taken.push(number);
                linked.of_note.insert((at, tumour.id.clone()), number);
            }
        }
        linked
    }

    /// Returns the tumour of a finding, by the position of its note and the id of the tumour in its answer.
    pub(super) fn of_finding(&self, note: usize, tumour: Option<&str>) -> Option<usize> {
        self.of_note.get(&(note, tumour?.to_owned())).copied()
    }

    /// Returns the candidates that fit best: those of the same side, else those that are as current.
    fn best(&self, candidates: &[usize], seen: &LinkedTumour) -> Vec<usize> {
        let choose = |from: &[usize], fits: &dyn Fn(&LinkedTumour) -> bool| -> Vec<usize> {
            from.iter().copied().filter(|at| self.tumours.get(*at).is_some_and(fits)).collect()
        };
        let same_side = choose(candidates, &|known| seen.side.is_some() && known.side == seen.side);
        let from = if same_side.is_empty() { candidates } else { &same_side };
        if from.len() < 2 {
            return from.to_vec();
        }
        let as_current = choose(from, &|known| known.is_past == seen.is_past);
        if as_current.len() == 1 { as_current } else { from.to_vec() }
    }

    /// Returns the tumours that cannot be told apart, and the organs whose side differs between notes.
    pub(super) fn contradictions(&self, notes: &[PatientNote]) -> Vec<Contradiction> {
        let found = |kind: ContradictionKind, tumours: &[usize]| Contradiction {
            kind,
            tumours: tumours.iter().copied().map(id).collect(),
            field: None,
            message: kind.message(),
            statements: tumours.iter().filter_map(|at| self.statement(*at, notes)).collect(),
        };
        let mut all = Vec::new();
        steps::count(self.tumours.len() * notes.len());
        let named_with: Vec<HashSet<usize>> =
            self.tumours.iter().map(|tumour| tumour.places.iter().map(|(note, _)| *note).collect()).collect();
        let in_one_note = |one: usize, other: usize| {
            named_with.get(one).zip(named_with.get(other)).is_some_and(|(one, other)| !one.is_disjoint(other))
        };
        for (one_at, one) in self.tumours.iter().enumerate() {
            for (other_at, other) in self.tumours.iter().enumerate().skip(one_at + 1) {
                if one.differs_in_side(other) && !in_one_note(one_at, other_at) {
                    all.push(found(ContradictionKind::SidesDiffer, &[one_at, other_at]));
                }
            }
        }
        for (number, candidates) in &self.unclear {
            let tumours: Vec<usize> = std::iter::once(*number).chain(candidates.iter().copied()).collect();
            all.push(found(ContradictionKind::TumourUnclear, &tumours));
        }
        if self.too_many {
            all.push(found(ContradictionKind::NotCompared, &[]));
        }
        all
    }

    /// Returns the first place that names a tumour.
    fn statement(&self, number: usize, notes: &[PatientNote]) -> Option<Statement> {
        let (note, tumour) = self.tumours.get(number)?.places.first()?;
        let note = notes.get(*note)?;
        let tumour = note.reading.tumours.get(*tumour)?;
        let place = tumour.evidence.first();
        let mention = Mention {
            index: note.index,
            note: note.id.clone(),
            assertion: None,
            quote: place.map(|place| place.quote.clone()),
            start: place.map(|place| place.start),
            end: place.map(|place| place.end),
            course: None,
        };
        let date = time::of(tumour.date.as_ref(), note.note_date.as_deref());
        Some(Statement { value: tumour.cancer_type.clone(), date, mention })
    }

    /// Returns the tumours as the answer shows them, each with its values.
    pub(super) fn into_shown(self, notes: &[PatientNote], fields: Vec<FieldTimelines>) -> Vec<PatientTumour> {
        let only = self.tumours.len() == 1;
        let mut formulas: Vec<Vec<TimelineTnm>> = self.tumours.iter().map(|_| Vec::new()).collect();
        for (at, note) in notes.iter().enumerate() {
            for formula in &note.reading.formulas {
                let tumour = self.of_finding(at, formula.tumour.as_deref()).or(only.then_some(0));
                if let Some(of_tumour) = tumour.and_then(|tumour| formulas.get_mut(tumour)) {
                    add_formula(of_tumour, note, formula);
                }
            }
        }
        let shown = |(number, ((tumour, fields), mut tnm)): (usize, ((LinkedTumour, _), Vec<TimelineTnm>))| {
            tnm.sort_by(|one, other| time::sort_key(one.date.as_ref()).cmp(&time::sort_key(other.date.as_ref())));
            let of_note = |(note, tumour): &(usize, usize)| {
                let note = notes.get(*note)?;
                Some((note, note.reading.tumours.get(*tumour)?))
            };
            let places = || tumour.places.iter().filter_map(of_note);
            let dates = places().filter_map(|(_, tumour)| time::of(tumour.date.as_ref(), None));
            let named = places().find(|(_, seen)| seen.cancer_type == tumour.name);
            PatientTumour {
                id: id(number),
                site: tumour.site.clone(),
                laterality: tumour.side.clone(),
                codes: named.and_then(|(_, tumour)| tumour.codes.clone()),
                date: dates.reduce(|one, other| match time::order(&one.value, &other.value) {
                    Some(Ordering::Greater) => other,
                    None if other.value.len() > one.value.len() => other,
                    _ => one,
                }),
                notes: places()
                    .map(|(note, tumour)| TumourInNote {
                        index: note.index,
                        note: note.id.clone(),
                        tumour: tumour.id.clone(),
                        role: tumour.role.clone(),
                    })
                    .collect(),
                cancer_type: tumour.name,
                tnm,
                fields,
            }
        };
        self.tumours.into_iter().zip(fields).zip(formulas).enumerate().map(shown).collect()
    }
}

impl LinkedTumour {
    fn of(tumour: &TumourReading, place: (usize, usize)) -> Self {
        let lower = tumour.cancer_type.to_lowercase();
        let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words = words.filter(|word| !FILLING.contains(word)).map(str::to_owned).collect();
        let year = tumour.date.as_ref().filter(|date| date.is_absolute());
        Self {
            words,
            codes: tumour.exact_codes(),
            site: tumour.site.clone(),
            side: tumour.laterality.clone(),
            histology: histology(&lower),
            years: year.and_then(|date| date.value.get(..4)?.parse().ok()).into_iter().collect(),
            is_past: tumour.role == PREVIOUS,
            places: vec![place],
            name: tumour.cancer_type.clone(),
        }
    }

    /// Returns whether this tumour may be one that another note names.
    fn may_be(&self, seen: &Self) -> bool {
        let agree = |one: Option<&str>, other: Option<&str>| one.zip(other).is_none_or(|(one, other)| one == other);
        let same_kind = match (&self.site, &seen.site) {
            (Some(one), Some(other)) => first_alike(one) == first_alike(other) && agree(self.histology, seen.histology),
            (None, None) => {
                let one_code = self.codes.iter().any(|code| seen.codes.contains(code));
                one_code || self.words_within(seen) || seen.words_within(self)
            }
            _ => self.is_generic() || seen.is_generic(),
        };
        // A tumour that one note calls past and another current is one only if their years do not differ.
        let differ = |one: &u16| seen.years.iter().all(|other| one.abs_diff(*other) > SAME_YEARS);
        let other_years = self.is_past != seen.is_past
            && !self.years.is_empty()
            && !seen.years.is_empty()
            && self.years.iter().all(differ);
        let sides = self.side.as_deref().zip(seen.side.as_deref());
        let same_side = sides.is_none_or(|(one, other)| one == other || one == BILATERAL || other == BILATERAL);
        same_kind && same_side && !other_years
    }

    fn is_generic(&self) -> bool {
        self.words.iter().all(|word| GENERIC.contains(&word.as_str()))
    }

    fn words_within(&self, other: &Self) -> bool {
        self.is_generic() || self.words.iter().all(|word| other.words.contains(word))
    }

    fn differs_in_side(&self, other: &Self) -> bool {
        let same_organ = self.site.as_deref().map(first_alike) == other.site.as_deref().map(first_alike);
        let sides = self.side.as_deref().zip(other.side.as_deref());
        let differ = sides.is_some_and(|(one, other)| one != other && one != BILATERAL && other != BILATERAL);
        same_organ && self.site.is_some() && differ
    }

    /// Adds what a further note says of the tumour.
    fn also(&mut self, seen: Self) {
        let telling = |one: &Self| (!one.is_generic(), one.words.len());
        if telling(&seen) > telling(self) {
            (self.name, self.words) = (seen.name, seen.words);
        }
        let new_codes: Vec<String> = seen.codes.into_iter().filter(|code| !self.codes.contains(code)).collect();
        self.codes.extend(new_codes);
        self.site = self.site.take().or(seen.site);
        self.side = self.side.take().or(seen.side);
        self.histology = self.histology.or(seen.histology);
        let new_years: Vec<u16> = seen.years.into_iter().filter(|year| !self.years.contains(year)).collect();
        self.years.extend(new_years);
        self.is_past &= seen.is_past;
        // A new tumour has its first place already.
        if self.places.last() != seen.places.last() {
            self.places.extend(seen.places);
        }
    }
}

/// Adds a formula, unless an earlier note of the same tumour has it.
fn add_formula(shown: &mut Vec<TimelineTnm>, note: &PatientNote, formula: &FormulaReading) {
    let FormulaReading { t, n, m, prefix, edition, .. } = formula;
    let date = time::of(formula.date.as_ref(), note.note_date.as_deref());
    let stated = |known: &TimelineDate, date: &TimelineDate| {
        known.source != DateSource::Text
            || date.source != DateSource::Text
            || time::may_be_one(&known.value, &date.value)
    };
    steps::count(shown.len());
    let known = shown.iter().any(|known| {
        (&known.t, &known.n, &known.m, &known.prefix) == (t, n, m, prefix)
            && known.date.as_ref().zip(date.as_ref()).is_none_or(|(known, date)| stated(known, date))
    });
    if known || shown.len() == MOST_FORMULAS {
        return;
    }
    let mention = Mention {
        index: note.index,
        note: note.id.clone(),
        assertion: None,
        quote: Some(formula.quote.clone()),
        start: Some(formula.start),
        end: Some(formula.end),
        course: None,
    };
    let (t, n, m, prefix) = (t.clone(), n.clone(), m.clone(), prefix.clone());
    shown.push(TimelineTnm { t, n, m, prefix, edition: *edition, date, mention });
}
