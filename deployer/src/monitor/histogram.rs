//! Quantiles of Prometheus' histograms, as `histogram_quantile` computes them. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::exposition::{Exposition, Sample, missing};

/// A histogram: for each upper bound, how many observations were not above it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram(Vec<(f64, f64)>);

/// A time that a share of the observations did not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Quantile {
    /// Seconds.
    pub seconds: f64,
    /// Whether it is over `seconds`: the histogram has no bound above it.
    pub or_more: bool,
}

impl Histogram {
    /// Reads the series of a histogram that `keep` accepts, summed by bound.
    pub fn read(scrape: &Exposition, name: &str, keep: impl Fn(&Sample) -> bool) -> Result<Self, String> {
        let bucket = format!("{name}_bucket");
        let mut bounds: Vec<(f64, f64)> = Vec::new();
        for sample in scrape.series(&bucket).filter(|sample| keep(sample)) {
            let bound: f64 = sample.label("le").parse().map_err(|_| missing(&bucket))?;
            match bounds.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                Some((_, count)) => *count += sample.value,
                None => bounds.push((bound, sample.value)),
            }
        }
        bounds.sort_by(|one, other| one.0.total_cmp(&other.0));
        match bounds.last() {
            Some((last, _)) if last.is_infinite() => Ok(Self(bounds)),
            _ => Err(missing(&bucket)),
        }
    }

    /// Returns the number of observations.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// Returns what was observed since an earlier reading of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| earlier.0.iter().find(|(known, _)| known.total_cmp(&bound).is_eq());
        let left = |&(bound, count): &(f64, f64)| (bound, (count - before(bound).map_or(0.0, |(_, c)| *c)).max(0.0));
        Self(self.0.iter().map(left).collect())
    }

    /// Returns a quantile, linear within its bucket; `None` without observations. `share` is from 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Quantile> {
        let count = self.count();
        if count.is_nan() || count <= 0.0 {
            return None;
        }
        let rank = share * count;
        let (mut low, mut below) = (0.0, 0.0);
        for &(bound, up_to) in &self.0 {
            if up_to >= rank && up_to > below {
                let inside = ((rank - below) / (up_to - below)).clamp(0.0, 1.0);
                let seconds = if bound.is_infinite() { low } else { low + (bound - low) * inside };
                return Some(Quantile { seconds, or_more: bound.is_infinite() });
            }
            (low, below) = (if bound.is_finite() { bound } else { low }, up_to);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Quantile};
    use crate::monitor::exposition::Exposition;

    fn read(buckets: [u32; 4]) -> Histogram {
        let [a, b, c, all] = buckets;
        let text = format!(
            "h_bucket{{le=\"0.1\"}} {a}\nh_bucket{{le=\"1.0\"}} {b}\nh_bucket{{le=\"10\"}} {c}\nh_bucket{{le=\"+Inf\"}} {all}\n"
        );
        Histogram::read(&Exposition::parse(&text).unwrap(), "h", |_| true).unwrap()
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        // By hand: rank 5 of 10 is in the middle of (0.1, 1.0], which has 2 to 8.
        for (buckets, share, expected) in [
            ([2, 8, 10, 10], 0.5, Some((0.55, false))),
            ([2, 8, 10, 10], 0.95, Some((7.75, false))),
            ([10, 10, 10, 10], 0.5, Some((0.05, false))),
            ([0, 0, 0, 4], 0.5, Some((10.0, true))),
            ([0, 0, 3, 4], 0.95, Some((10.0, true))),
            ([0, 0, 0, 0], 0.95, None),
        ] {
            let found = read(buckets).quantile(share);
            let expected = expected.map(|(seconds, or_more)| Quantile { seconds, or_more });
            assert!(
                match (found, expected) {
                    (Some(found), Some(expected)) =>
                        (found.seconds - expected.seconds).abs() < 1e-9 && found.or_more == expected.or_more,
                    (found, expected) => found == expected,
                },
                "{buckets:?} {share}: {found:?}"
            );
        }
    }

    #[test]
    fn only_what_came_since_counts() {
        let since = read([2, 8, 10, 14]).since(&read([2, 8, 10, 10]));
        assert_eq!((since.count(), since.quantile(0.5)), (4.0, Some(Quantile { seconds: 10.0, or_more: true })));
    }

    #[test]
    fn a_histogram_without_its_last_bound_is_refused() {
        let text = Exposition::parse("h_bucket{le=\"1\"} 3\n").unwrap();
        assert!(Histogram::read(&text, "h", |_| true).unwrap_err().contains("h_bucket"));
        assert!(Histogram::read(&Exposition::default(), "h", |_| true).is_err());
    }
}
