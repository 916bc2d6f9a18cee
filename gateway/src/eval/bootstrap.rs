//! A percentile bootstrap: how much a score would vary with other notes of the same kind. Each round draws as many
//! notes, with replacement.

use super::measure::{self, Counts};

const ROUNDS: usize = 1_000;
/// Seed of the random numbers. It is fixed, so that the same files give the same interval.
const SEED: u64 = 20_240_601;

/// Returns the 95 % interval of the relaxed micro F1; `None` without notes, or if a round has no score.
pub(super) fn interval(notes: &[Counts]) -> Option<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(SEED);
    // A round needs only the match counts of each note.
    let note_counts: Vec<measure::MatchCounts> = notes.iter().map(|note| measure::total([note]).1.relaxed).collect();
    let mut scores: Vec<f64> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut sum = measure::MatchCounts::default();
        for _ in 0..note_counts.len() {
            let drawn = note_counts.get(random.usize(..note_counts.len()))?;
            sum.right += drawn.right;
            sum.wrong += drawn.wrong;
            sum.missing += drawn.missing;
        }
        scores.push(sum.f1()?);
    }
    scores.sort_by(f64::total_cmp);
    Some((*scores.get(ROUNDS / 40)?, *scores.get(ROUNDS - ROUNDS / 40 - 1)?))
}
