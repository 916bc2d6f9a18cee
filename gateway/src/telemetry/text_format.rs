//! The two text formats of the metrics: `OpenMetrics` 1.0.0, and the older format of Prometheus, version 0.0.4, which
//! every monitoring program reads.

/// A text format of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFormat {
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
}

impl MetricsFormat {
    /// Returns the value of the header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Returns metrics, given as `OpenMetrics` text, in this format.
    pub(super) fn written(self, openmetrics: String) -> String {
        match self {
            Self::OpenMetrics => openmetrics,
            Self::Prometheus => to_prometheus(&openmetrics),
        }
    }
}

/// Returns `OpenMetrics` text in the format of Prometheus. In that format a counter has the name of its samples, with
/// `_total`; units and the end mark do not exist.
fn to_prometheus(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            // It is written with the type, on which the name depends.
            help = described.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            let suffix = if kind == "counter" { "_total" } else { "" };
            for part in ["# HELP ", name, suffix, " ", help, "\n# TYPE ", name, suffix, " ", kind, "\n"] {
                text.push_str(part);
            }
        } else if !line.starts_with("# ") {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_get_the_name_of_their_samples() {
        let openmetrics = "# HELP a_b Some \"help\" \\\\ text.\n# TYPE a_b counter\na_b_total{x=\"# TYPE y\"} 1\n\
                           # HELP c_seconds Time.\n# TYPE c_seconds gauge\n# UNIT c_seconds seconds\nc_seconds 2.5\n# EOF\n";
        let expected = "# HELP a_b_total Some \"help\" \\\\ text.\n# TYPE a_b_total counter\na_b_total{x=\"# TYPE y\"} 1\n\
                        # HELP c_seconds Time.\n# TYPE c_seconds gauge\nc_seconds 2.5\n";
        assert_eq!(MetricsFormat::Prometheus.written(openmetrics.to_owned()), expected);
        assert_eq!(MetricsFormat::OpenMetrics.written(openmetrics.to_owned()), openmetrics);
    }
}
