//! A percentile bootstrap: how much a score, or the difference of two, would vary with other notes of the same kind.
//! Each round draws as many notes, with replacement.

use super::measure::{self, Counts};

const ROUNDS: usize = 1_000;
/// Seed of the random numbers. It is fixed, so that the same files give the same interval.
const SEED: u64 = 20_240_601;

/// Returns the 95 % interval of the relaxed micro F1; `None` without notes, or if a round has no score.
pub(super) fn interval(notes: &[Counts]) -> Option<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let note_counts = relaxed(notes);
    let mut scores: Vec<f64> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut sum = measure::MatchCounts::default();
        for _ in 0..note_counts.len() {
            add(&mut sum, *note_counts.get(random.usize(..note_counts.len()))?);
        }
        scores.push(sum.f1()?);
    }
    middle(scores)
}

/// Returns the 95 % interval of the difference of two relaxed micro F1, `notes` less `others`, which are scores of the
/// same notes in the same order. Each round draws the same notes for both, so that the difficulty of a note affects
/// both scores. `None` without notes, or if a round has no score.
pub(super) fn paired_interval(notes: &[Counts], others: &[Counts]) -> Option<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let pairs: Vec<_> = relaxed(notes).into_iter().zip(relaxed(others)).collect();
    let mut differences: Vec<f64> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (mut sum, mut other) = (measure::MatchCounts::default(), measure::MatchCounts::default());
        for _ in 0..pairs.len() {
            let (drawn, drawn_other) = *pairs.get(random.usize(..pairs.len()))?;
            add(&mut sum, drawn);
            add(&mut other, drawn_other);
        }
        differences.push(sum.f1()? - other.f1()?);
    }
    middle(differences)
}

/// Returns the match counts of each note: all that a round needs.
fn relaxed(notes: &[Counts]) -> Vec<measure::MatchCounts> {
    notes.iter().map(|note| measure::total([note]).1.relaxed).collect()
}

fn add(sum: &mut measure::MatchCounts, one: measure::MatchCounts) {
    sum.right += one.right;
    sum.wrong += one.wrong;
    sum.missing += one.missing;
}

/// Returns the bounds of the middle 95 % of the rounds.
fn middle(mut rounds: Vec<f64>) -> Option<(f64, f64)> {
    rounds.sort_by(f64::total_cmp);
    Some((*rounds.get(ROUNDS / 40)?, *rounds.get(ROUNDS - ROUNDS / 40 - 1)?))
}
