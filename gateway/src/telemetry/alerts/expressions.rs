//! Parts of `PromQL` that several alert rules use. Each is summed by gateway, so that the parts of a rule match.

/// Returns the increase of counters in a window, summed by gateway.
pub(super) fn increase(selector: &str, window: &str) -> String {
    format!("sum by (job, instance) (increase({selector}[{window}]))")
}

/// Returns the increase in a window that ended some time ago.
pub(super) fn earlier_increase(selector: &str, window: &str, offset: &str) -> String {
    format!("sum by (job, instance) (increase({selector}[{window}] offset {offset}))")
}

/// Returns the share that some counters have in others, in a window.
pub(super) fn share(part: &str, whole: &str, window: &str) -> String {
    format!("{} / {}", increase(part, window), increase(whole, window))
}

/// Returns a number without the noise of binary fractions.
pub(super) fn number(value: f64) -> String {
    format!("{}", (value * 1e9).round() / 1e9)
}
