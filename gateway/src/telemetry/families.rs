//! Registers metrics. A family whose labels are closed sets gets all its series at once: an alert on a series that does
//! not exist yet never fires, and the first event of a series that begins at 1 is not an increase.

use std::{fmt::Debug, hash::Hash};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Bucket bounds in seconds, from the quickest answer of the rules to the deadline. Most answers of a model of 8 billion
/// parameters take 3 to 20 seconds.
const SECONDS: [f64; 20] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 60.0,
];

/// Bucket bounds in code points, from a line to the longest note.
const CHARS: [f64; 12] =
    [100.0, 250.0, 500.0, 1_000.0, 2_000.0, 3_000.0, 4_000.0, 6_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0];

/// A family of histograms of seconds.
pub(super) type SecondsFamily<L> = Family<L, Histogram, fn() -> Histogram>;

/// What a label set must be.
pub(super) trait Labels: Clone + Hash + Eq + EncodeLabelSet + Debug + Send + Sync + 'static {}

impl<L: Clone + Hash + Eq + EncodeLabelSet + Debug + Send + Sync + 'static> Labels for L {}

/// Registers a counter.
pub(super) fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

/// Registers a family of counters with the series of all its label sets.
pub(super) fn counters<L: Labels>(
    registry: &mut Registry,
    (name, help): (&str, &str),
    members: impl IntoIterator<Item = L>,
) -> Family<L, Counter> {
    let family = Family::default();
    registry.register(name, help, family.clone());
    for labels in members {
        drop(family.get_or_create(&labels));
    }
    family
}

/// Registers a family of histograms of seconds with the series of all its label sets.
pub(super) fn seconds_by<L: Labels>(
    registry: &mut Registry,
    (name, help): (&str, &str),
    members: impl IntoIterator<Item = L>,
) -> SecondsFamily<L> {
    let family = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    for labels in members {
        drop(family.get_or_create(&labels));
    }
    family
}

/// Registers a histogram of seconds.
pub(super) fn seconds(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new(SECONDS);
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

/// Registers a histogram of code points.
pub(super) fn chars(registry: &mut Registry, name: &str, help: &str) -> Histogram {
    let histogram = Histogram::new(CHARS);
    registry.register(name, help, histogram.clone());
    histogram
}
