//! The alert rules as alarms of `CloudWatch`, in a `CloudFormation` template: the same table of rules, and alarms about
//! the box that only AWS can detect. `config/alarms.yaml` is what this renders for `config/alerts.toml`. Reads and
//! sends nothing.

use std::fmt::Write as _;

use super::{
    Pace, Thresholds,
    rules::{Rule, Severity, rules},
};

const HEADER: &str = include_str!("cloudwatch_header.yaml");
/// The longest window of a query, in seconds.
const LONGEST_WINDOW: u32 = 86_400;

/// Returns why `CloudWatch` cannot evaluate a rule; `None` if it can.
///
/// By its documentation a window is at most 24 hours, and a histogram with fixed buckets is stored as an exponential one, so
/// that it has no series `_bucket`.
#[must_use]
pub fn unsupported(rule: &Rule) -> Option<&'static str> {
    let windows = rule.expr.split('[').skip(1).filter_map(|rest| rest.split(']').next());
    if windows.map(in_seconds).max().is_some_and(|longest| longest > LONGEST_WINDOW) {
        Some("a window of it is longer than 24 hours")
    } else if rule.expr.contains("_bucket{") {
        Some("it reads the buckets of a histogram")
    } else {
        None
    }
}

/// Returns the `CloudFormation` template with the alarms, as YAML.
#[must_use]
pub fn render_alarms(thresholds: &Thresholds, pace: Pace) -> String {
    let mut text = HEADER.to_owned();
    for rule in rules(thresholds, pace) {
        let name = rule.name;
        if let Some(reason) = unsupported(&rule) {
            let _ = write!(text, "\n  # {name} is not here: {reason}.\n");
            continue;
        }
        let topic = match rule.severity {
            Severity::Page => "Pages",
            Severity::Ticket => "Tickets",
        };
        let severity = rule.severity.name();
        let _ = write!(
            text,
            "\n  {name}:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      AlarmName: !Sub \"${{AWS::StackName}}-{name}\"\n      \
             AlarmDescription: \"{severity}: for its meaning and what to do see gateway/docs/monitoring.md#{}\"\n      \
             AlarmActions: [!Ref {topic}]\n      OKActions: [!Ref {topic}]\n      EvaluationInterval: 60\n      \
             EvaluationCriteria:\n        PromQLCriteria:\n          PendingPeriod: {}\n          RecoveryPeriod: 300\n          \
             Query: |\n",
            name.to_lowercase(),
            rule.wait.as_deref().map_or(0, in_seconds)
        );
        for line in rule.expr.lines() {
            let _ = writeln!(text, "            {line}");
        }
    }
    text
}

/// Returns the seconds of a time as Prometheus writes it, such as `2m`.
fn in_seconds(time: &str) -> u32 {
    let unit = match time.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        _ => 86_400,
    };
    time.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().unwrap_or_default().saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_tracked_template_is_what_is_rendered() {
        let tracked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/alarms.yaml");
        assert!(
            fs::read_to_string(tracked).unwrap() == render_alarms(&Thresholds::default(), Pace::default()),
            "run: gateway alerts --format cloudwatch --thresholds config/alerts.toml >config/alarms.yaml"
        );
    }

    #[test]
    fn each_rule_is_an_alarm_or_says_why_it_is_none() {
        let template = render_alarms(&Thresholds::default(), Pace::default());
        let mut left_out = Vec::new();
        for rule in rules(&Thresholds::default(), Pace::default()) {
            let alarm = format!("\n  {}:\n", rule.name);
            assert_eq!(template.contains(&alarm), unsupported(&rule).is_none(), "{}", rule.name);
            if let Some(reason) = unsupported(&rule) {
                assert!(template.contains(&format!("# {} is not here: {reason}", rule.name)));
                left_out.push(rule.name);
            }
        }
        assert_eq!(left_out, ["EngineSlow", "EmptyRecordsUnusual", "UnsupportedValuesUnusual"]);
        for (minutes, is_supported) in [(1_440, true), (2_160, false), (2_880, false)] {
            let limits = Thresholds { idle_minutes: minutes, ..Thresholds::default() };
            let rules = rules(&limits, Pace::default());
            let idle = rules.iter().find(|rule| rule.name == "IdleBox").unwrap();
            assert_eq!(unsupported(idle).is_none(), is_supported, "{minutes}");
        }
    }

    #[test]
    fn times_are_converted() {
        for (time, seconds) in [("2m", 120), ("1h", 3_600), ("90s", 90), ("1d", 86_400)] {
            assert_eq!(in_seconds(time), seconds);
        }
    }
}
