//! The alert rules for Prometheus and `CloudWatch`: one table of rules, rendered with thresholds from a file.
//! `config/alerts.yaml` and `config/alarms.yaml` are what this renders for `config/alerts.toml`. Reads and sends nothing.

mod cloudwatch;
mod expressions;
mod rules;
mod thresholds;
mod times;

use std::fmt::Write as _;

pub use self::{
    cloudwatch::{render_alarms, unsupported},
    rules::{Rule, Severity, rules},
    thresholds::{InvalidThresholds, Thresholds},
    times::Pace,
};

const HEADER: &str = "\
# Alert rules for Prometheus 2.42 or newer. Rendered, not written by hand: change config/alerts.toml, then run
#   gateway alerts --thresholds config/alerts.toml >config/alerts.yaml
# What each alert means and what to do: gateway/docs/monitoring.md.
groups:
  - name: extraction-gateway
    rules:
";

/// Returns the rule file for Prometheus, as YAML.
#[must_use]
pub fn render(thresholds: &Thresholds, pace: Pace) -> String {
    let mut text = HEADER.to_owned();
    for rule in rules(thresholds, pace) {
        let _ = write!(text, "      - alert: {}\n        expr: |\n", rule.name);
        for line in rule.expr.lines() {
            let _ = writeln!(text, "          {line}");
        }
        if let Some(wait) = &rule.wait {
            let _ = writeln!(text, "        for: {wait}");
        }
        let _ = writeln!(text, "        labels: {{severity: {}}}", rule.severity.name());
        let _ = writeln!(text, "        annotations:\n          summary: {}", quoted(&rule.summary));
        let _ = writeln!(text, "          runbook: gateway/docs/monitoring.md#{}", rule.name.to_lowercase());
    }
    text
}

/// Returns a text as a double-quoted scalar of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn tracked(name: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(name)).unwrap()
    }

    #[test]
    fn the_tracked_files_are_what_is_rendered() {
        let written = tracked("alerts.toml");
        let thresholds = Thresholds::parse(&written).unwrap();
        assert_eq!(thresholds, Thresholds::default(), "config/alerts.toml has the defaults");
        let keys: BTreeSet<String> =
            toml::from_str::<toml::Table>(&written).unwrap().into_iter().map(|(key, _)| key).collect();
        let all = serde_json::to_value(&thresholds).unwrap();
        assert_eq!(keys, all.as_object().unwrap().keys().cloned().collect(), "config/alerts.toml has every threshold");
        assert!(
            tracked("alerts.yaml") == render(&thresholds, Pace::default()),
            "run: gateway alerts --thresholds config/alerts.toml >config/alerts.yaml"
        );
    }

    #[test]
    fn every_threshold_changes_the_rules() {
        let defaults = serde_json::to_value(Thresholds::default()).unwrap();
        let rendered = render(&Thresholds::default(), Pace::default());
        for (key, value) in defaults.as_object().unwrap() {
            let value = value.as_f64().unwrap();
            // Stays within every range.
            let changed = if value < 1.0 { value * 0.9 } else { value + 1.0 };
            let changed = Thresholds::parse(&format!("{key} = {changed}")).unwrap();
            assert_ne!(render(&changed, Pace::default()), rendered, "{key}");
        }
    }

    #[test]
    fn a_faster_pace_shortens_each_window_and_no_threshold() {
        let (slow, fast) =
            (render(&Thresholds::default(), Pace::default()), render(&Thresholds::default(), Pace::new(60)));
        assert!(slow.contains("[1h]") && slow.contains("[7d] offset 6h") && slow.contains("for: 2m"), "{slow}");
        assert!(fast.contains("[1m]") && fast.contains("[168m] offset 6m") && fast.contains("for: 2s"), "{fast}");
        for text in [&slow, &fast] {
            assert!(text.contains("> 0.144") && text.contains("< 14 * 86400"), "{text}");
        }
    }

    #[test]
    fn names_are_distinct_and_a_cause_fires_before_its_symptom() {
        let rules = rules(&Thresholds::default(), Pace::default());
        let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), rules.len());
        let wait = |name: &str| rules.iter().find(|rule| rule.name == name).unwrap().wait.clone().unwrap();
        assert_eq!((wait("NoModelServerReady"), wait("NotesFailingFast")), ("2m".to_owned(), "3m".to_owned()));
    }
}
