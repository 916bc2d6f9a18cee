//! How far a figure would move with other notes of the same kind: notes drawn anew, with replacement.

use super::measure::{self, Counts};

const ROUNDS: usize = 1_000;
/// Fixed, so that the same files give the same interval.
const SEED: u64 = 20_240_601;

/// The 95 % interval of the relaxed micro F1; nothing without notes.
pub(super) fn interval(notes: &[Counts]) -> Option<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(SEED);
    // The tally of each note is all that a round needs.
    let tallies: Vec<measure::MatchCounts> = notes.iter().map(|note| measure::total([note]).1.relaxed).collect();
    let mut scores: Vec<f64> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut sum = measure::MatchCounts::default();
        for _ in 0..tallies.len() {
            let drawn = tallies.get(random.usize(..tallies.len()))?;
            sum.right += drawn.right;
            sum.wrong += drawn.wrong;
            sum.missing += drawn.missing;
        }
        scores.push(sum.f1()?);
    }
    scores.sort_by(f64::total_cmp);
    Some((*scores.get(ROUNDS / 40)?, *scores.get(ROUNDS - ROUNDS / 40 - 1)?))
}
