//! Finds statements of different notes that cannot all be right.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
};

use super::{
    Contradiction, ContradictionKind, PatientNote, Statement, TimelineDate,
    entries::{Entry, FieldEntries},
    linking::{self, LinkedTumours},
    reading::FindingReading,
    time::{order, sort_key},
};
use crate::{extraction::Field, steps};

/// The most values of one field of one tumour that are compared with each other, because the cost grows with their
/// square.
const MOST_COMPARED: usize = 512;
/// The most statements of one contradiction.
const MOST_STATEMENTS: usize = 8;

/// Returns the contradictions in one field of one tumour.
pub(super) fn of_field(tumour: Option<usize>, entries: &FieldEntries<'_>) -> Vec<Contradiction> {
    let field = entries.field;
    let found = |kind: ContradictionKind, mut statements: Vec<Statement>| {
        statements.truncate(MOST_STATEMENTS);
        Contradiction {
            kind,
            tumours: tumour.map(linking::id).into_iter().collect(),
            field: Some(field.name()),
            message: kind.message(),
            statements,
        }
    };
    let mut all = Vec::new();
    let compared = entries.entries.get(..MOST_COMPARED).unwrap_or(&entries.entries);
    steps::count(compared.len() * compared.len());
    for group in groups(field, compared) {
        let kind =
            if field == Field::Stage { ContradictionKind::StagesDiffer } else { ContradictionKind::ResultsDiffer };
        all.push(found(kind, group));
    }
    let denials = stated_and_denied(compared, entries);
    all.extend(denials.into_values().map(|statements| found(ContradictionKind::StatedAndDenied, statements)));
    if entries.entries.len() > MOST_COMPARED {
        all.push(found(ContradictionKind::NotCompared, Vec::new()));
    }
    all
}

/// Returns the statements of entries that conflict with each other, those that are connected together.
fn groups(field: Field, entries: &[Entry<'_>]) -> Vec<Vec<Statement>> {
    let mut of: Vec<Option<usize>> = vec![None; entries.len()];
    let mut groups: Vec<Vec<Statement>> = Vec::new();
    for first in 0..entries.len() {
        let mut open = vec![first];
        let mut members = Vec::new();
        while let Some(at) = open.pop() {
            for other in 0..entries.len() {
                let (Some(one), Some(two)) = (entries.get(at), entries.get(other)) else { continue };
                let is_free = other != at && of.get(other) == Some(&None);
                if !is_free || !conflict(field, one, two) {
                    continue;
                }
                for member in [at, other] {
                    if let Some(group @ None) = of.get_mut(member) {
                        *group = Some(groups.len());
                        members.push(member);
                    }
                }
                open.push(other);
            }
        }
        members.sort_unstable();
        let mut statements: Vec<Statement> =
            members.into_iter().filter_map(|member| entries.get(member)?.statement()).collect();
        statements.sort_by(|one, other| sort_key(one.date.as_ref()).cmp(&sort_key(other.date.as_ref())));
        if !statements.is_empty() {
            groups.push(statements);
        }
    }
    groups
}

/// Returns whether two entries cannot both be right, and are of notes that differ.
fn conflict(field: Field, one: &Entry<'_>, other: &Entry<'_>) -> bool {
    if !one.says.disagrees(&other.says) {
        return false;
    }
    let (from, to) = (one.date.as_ref(), other.date.as_ref());
    // A later result is a course. The stage at diagnosis has none.
    if field != Field::Stage && (is_before(from, to) || is_before(to, from)) {
        return false;
    }
    one.statement().is_some_and(|statement| other.statement_besides(statement.mention.index).is_some())
}

/// Returns the statements about each entry that other notes deny: the entry itself and the denials. A denied gene denies
/// its alterations. A denial from before the value was first stated is none.
fn stated_and_denied(compared: &[Entry<'_>], entries: &FieldEntries<'_>) -> BTreeMap<usize, Vec<Statement>> {
    let (mut by_value, mut by_gene) = (HashMap::<&str, Vec<usize>>::new(), HashMap::<&str, Vec<usize>>::new());
    for (at, entry) in compared.iter().enumerate() {
        by_value.entry(entry.says.folded()).or_default().push(at);
        by_gene.entry(entry.says.folded().split(' ').next().unwrap_or_default()).or_default().push(at);
    }
    let mut all: BTreeMap<usize, Vec<Statement>> = BTreeMap::new();
    for (denied, denial) in &entries.denied {
        let of_gene = denied.gene_alone().and_then(|gene| by_gene.get(gene));
        for at in by_value.get(denied.folded()).into_iter().chain(of_gene).flatten() {
            steps::count(1);
            let Some(entry) = compared.get(*at) else { continue };
            let full = all.get(at).is_some_and(|statements| statements.len() >= MOST_STATEMENTS);
            if full || is_before(denial.date.as_ref(), entry.date.as_ref()) {
                continue;
            }
            let Some(stated) = entry.statement_besides(denial.mention.index) else { continue };
            let statements = all.entry(*at).or_insert_with(|| vec![stated]);
            let known = statements.iter().any(|one| one.mention.same_place(&denial.mention));
            if !known {
                statements.push(denial.clone());
            }
        }
    }
    all
}

fn is_before(one: Option<&TimelineDate>, other: Option<&TimelineDate>) -> bool {
    one.zip(other).and_then(|(one, other)| order(&one.value, &other.value)) == Some(Ordering::Less)
}

/// Returns a contradiction for each note that states a date after the day on which it was written, with the first.
pub(super) fn after_their_note(
    notes: &[PatientNote],
    linked: &LinkedTumours,
    only: Option<usize>,
) -> Vec<Contradiction> {
    let mut all = Vec::new();
    for (at, note) in notes.iter().enumerate() {
        let Some(written) = note.note_date.as_deref() else { continue };
        let is_later = |finding: &&FindingReading| {
            let stated = finding.date.as_ref().filter(|date| date.is_absolute() && !finding.denied);
            stated.is_some_and(|stated| order(&stated.value, written) == Some(Ordering::Greater))
        };
        if let Some(finding) = note.reading.findings.iter().find(is_later) {
            let tumour = linked.of_finding(at, finding.tumour.as_deref()).or(only);
            let kind = ContradictionKind::DateAfterNote;
            all.push(Contradiction {
                kind,
                tumours: tumour.map(linking::id).into_iter().collect(),
                field: Some(finding.field.name()),
                message: kind.message(),
                statements: vec![super::entries::statement(note, finding)],
            });
        }
    }
    all
}

impl ContradictionKind {
    /// Returns what the kind means.
    pub(super) const fn message(self) -> &'static str {
        match self {
            Self::ResultsDiffer => "Results that cannot both hold, at times that cannot be ordered. Check the notes.",
            Self::StagesDiffer => {
                "Stages of one tumour that cannot both be the stage at diagnosis. Check whether one is of a \
                 recurrence, a progression or another tumour."
            }
            Self::StatedAndDenied => {
                "One note states this, and a note of the same time or later says that it is absent. Check whether it \
                 went away or one of the notes is wrong."
            }
            Self::SidesDiffer => {
                "Tumours of one organ on different sides, which no note names together. Check whether there are two, \
                 or one note has the wrong side."
            }
            Self::TumourUnclear => {
                "This tumour may be one of the others or a further one. It is shown as a separate tumour. Check the notes."
            }
            Self::DateAfterNote => {
                "The note states a date after the day on which it was written. Check the date of the note."
            }
            Self::NotCompared => {
                "There are more different values than are compared with each other: further contradictions may exist."
            }
        }
    }
}
