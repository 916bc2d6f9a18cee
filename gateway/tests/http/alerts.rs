//! Compares the alert rules and the dashboard with what the gateway really exposes: each metric, label and label value
//! of a query exists, here or in the list of foreign metrics in `docs/monitoring.md`, which also explains each alert.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use gateway::telemetry::alerts::{Pace, Rule, Thresholds, rules};
use promql_parser::{
    label::{MatchOp, Matcher},
    parser::{self, Expr, VectorSelector},
    util::{ExprVisitor, walk_expr},
};
use serde_json::Value;

use crate::{
    exposition::{Family, families},
    fake_vllm::{RECORD, UpstreamBehaviour},
    metrics::{documented, with_model},
};

/// Labels that Prometheus adds to each series.
const ADDED: [&str; 2] = ["job", "instance"];

/// The facts about one metric that queries may use.
#[derive(Clone, Debug)]
struct Known {
    is_counter: bool,
    /// Each label, with its values if they are a closed set.
    labels: BTreeMap<String, Option<BTreeSet<String>>>,
}

/// Every sample that queries may name.
type Vocabulary = BTreeMap<String, Known>;

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns the cells of the rows of a document's tables whose first cell is code.
fn rows(document: &str) -> Vec<Vec<String>> {
    let rows = document.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        row.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().replace('`', ""))
            .map(|cell| match cell.split_once(" <a id") {
                Some((name, _)) => name.to_owned(),
                None => cell,
            })
            .collect()
    })
    .collect()
}

/// Returns the samples of the gateway and those of the document's foreign programs.
async fn vocabulary() -> Vocabulary {
    let live = families(&with_model(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await).await;
    let mut all = Vocabulary::new();
    for (name, labels) in documented() {
        // The values of the model server's own figures are missing in this gateway, so their kind is taken from their
        // names.
        let family = live.get(&name);
        let kind =
            family.map_or(if name.ends_with("_preemptions") { "counter" } else { "gauge" }, |family| &family.kind);
        let of_label =
            |label: &String| family.map(|family: &Family| family.values(label)).filter(|_| label != "replica");
        let labels: BTreeMap<_, _> = labels.iter().map(|(label, _)| (label.clone(), of_label(label))).collect();
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        for suffix in suffixes {
            let mut labels = labels.clone();
            if *suffix == "_bucket" {
                labels.insert("le".to_owned(), family.map(|family| family.values("le")));
            }
            all.insert(format!("{name}{suffix}"), Known { is_counter: !suffix.is_empty(), labels });
        }
    }
    for row in rows(&read("docs/monitoring.md")).into_iter().filter(|row| row.len() == 4) {
        let [name, labels, kind, source] = <[String; 4]>::try_from(row).unwrap();
        assert!(source.contains("https://"), "{name} has no source");
        let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
        let labels = labels.map(|label| (label.to_owned(), None)).collect();
        all.insert(name, Known { is_counter: kind == "counter", labels });
    }
    // Prometheus makes it for each of its targets.
    let jobs = read("../config/prometheus.yml");
    let jobs = jobs.lines().filter_map(|line| line.trim().strip_prefix("- job_name: ").map(str::to_owned)).collect();
    all.insert("up".to_owned(), Known { is_counter: false, labels: [("job".to_owned(), Some(jobs))].into() });
    all
}

/// Finds the parts of a query that no metric provides.
struct Judge<'a> {
    known: &'a Vocabulary,
    faults: Vec<String>,
    labels: BTreeSet<String>,
}

impl Judge<'_> {
    fn judge(&mut self, selector: &VectorSelector, as_counter: Option<bool>) {
        let name = selector.name.clone().unwrap_or_default();
        let Some(known) = self.known.get(&name) else {
            return self.faults.push(format!("no metric {name}"));
        };
        if as_counter.is_some_and(|counter| counter != known.is_counter) {
            self.faults.push(format!("{name} is treated as another kind of metric"));
        }
        self.labels.extend(known.labels.keys().cloned());
        for Matcher { op, name: label, value } in &selector.matchers.matchers {
            let Some(values) = known.labels.get(label) else {
                self.faults.push(format!("{name} has no label {label}"));
                continue;
            };
            let wanted: Vec<&str> = match op {
                MatchOp::Equal | MatchOp::NotEqual => vec![value],
                // Only alternatives are checked, because other patterns cannot be compared with a set.
                MatchOp::Re(_) | MatchOp::NotRe(_) => value.split('|').collect(),
            };
            for value in wanted {
                if values.as_ref().is_some_and(|values| !values.contains(value)) {
                    self.faults.push(format!("{name}: {label} is never {value:?}"));
                }
            }
        }
    }
}

impl ExprVisitor for Judge<'_> {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.judge(selector, None),
            Expr::Call(call) => {
                let counts = ["increase", "rate"].contains(&call.func.name);
                for argument in &call.args.args {
                    if let Expr::MatrixSelector(matrix) = argument.as_ref() {
                        self.judge(&matrix.vs, Some(counts));
                    }
                }
            }
            _ => {}
        }
        Ok(true)
    }

    fn post_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        if let Expr::Aggregate(aggregate) = expr
            && let Some(modifier) = &aggregate.modifier
        {
            let mut inner = Judge { known: self.known, faults: Vec::new(), labels: BTreeSet::new() };
            walk_expr(&mut inner, &aggregate.expr)?;
            for label in &modifier.labels().labels {
                if !inner.labels.contains(label) && !ADDED.contains(&label.as_str()) {
                    self.faults.push(format!("nothing within has the label {label}"));
                }
            }
        }
        Ok(true)
    }
}

/// Returns what is wrong with a query.
fn faults(query: &str, known: &Vocabulary) -> Vec<String> {
    let expr = match parser::parse(query) {
        Ok(expr) => expr,
        Err(error) => return vec![error],
    };
    let mut judge = Judge { known, faults: Vec::new(), labels: BTreeSet::new() };
    let Ok(_) = walk_expr(&mut judge, &expr);
    if judge.labels.is_empty() && judge.faults.is_empty() {
        // A query without a metric would always pass.
        let known = parser::parse(query).is_ok_and(|expr| matches!(expr, Expr::NumberLiteral(_)));
        if known {
            judge.faults.push("no metric at all".to_owned());
        }
    }
    judge.faults
}

fn in_earnest() -> Vec<Rule> {
    rules(&Thresholds::default(), Pace::default())
}

#[tokio::test]
async fn every_metric_and_label_of_a_rule_exists() {
    let known = vocabulary().await;
    for pace in [Pace::default(), Pace::new(60)] {
        for rule in rules(&Thresholds::default(), pace) {
            assert_eq!(faults(&rule.expr, &known), Vec::<String>::new(), "{}", rule.name);
        }
    }
}

#[tokio::test]
async fn every_query_of_the_dashboard_exists() {
    let known = vocabulary().await;
    let dashboard: Value = serde_json::from_str(&read("../config/grafana-dashboard.json")).unwrap();
    let mut queries = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(faults(target["expr"].as_str().unwrap(), &known), Vec::<String>::new(), "{title}");
            queries += 1;
        }
    }
    assert!(queries > 15, "{queries} queries");
}

#[tokio::test]
async fn a_query_about_nothing_is_found() {
    let known = vocabulary().await;
    assert_eq!(
        faults("sum by (job) (increase(gateway_notes_total{code=\"ok\"}[1h])) > 0", &known),
        Vec::<String>::new()
    );
    for (query, fault) in [
        ("gateway_note_total", "no metric gateway_note_total"),
        ("gateway_notes", "no metric gateway_notes"),
        ("gateway_notes_total{status=\"500\"}", "no label status"),
        ("gateway_notes_total{code=\"okay\"}", "code is never \"okay\""),
        ("gateway_notes_total{code=~\"ok|output_unuseable\"}", "never \"output_unuseable\""),
        ("gateway_upstream_replicas{state=\"up\"}", "state is never \"up\""),
        ("sum by (replica) (gateway_ready)", "the label replica"),
        ("increase(gateway_ready[5m])", "another kind"),
        ("max_over_time(gateway_notes_total[5m])", "another kind"),
        ("up{job=\"gatway\"}", "job is never \"gatway\""),
        ("node_filesystem_free{}", "no metric"),
        ("sum(gateway_ready", "parse"),
        ("1", "no metric at all"),
    ] {
        let found = faults(query, &known).join("; ");
        assert!(found.contains(fault) || fault == "parse" && !found.is_empty(), "{query}: {found}");
    }
}

#[tokio::test]
async fn notes_fail_by_every_error_of_the_service() {
    let live = families(&with_model(vec![UpstreamBehaviour::Text(RECORD.to_owned())]).await).await;
    let requests = live["gateway_http_requests"].label_sets();
    let of_service = requests.iter().filter(|labels| labels["status"].starts_with('5') && labels["code"] != "ok");
    let mut expected: BTreeSet<String> = of_service.map(|labels| labels["code"].clone()).collect();
    expected = &expected & &live["gateway_notes"].values("code");
    // The planned end of a process.
    assert!(expected.remove("draining"));
    let rules = in_earnest();
    let expr = &rules.iter().find(|rule| rule.name == "NotesFailingFast").unwrap().expr;
    let listed = expr.split("code=~\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(listed.split('|').map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_alert_has_its_line_in_the_runbook() {
    let document = read("docs/monitoring.md");
    let lines: BTreeMap<String, Vec<String>> =
        rows(&document).into_iter().filter(|row| row.len() == 3).map(|row| (row[0].clone(), row)).collect();
    let rules = in_earnest();
    for rule in &rules {
        let line = lines.get(rule.name).unwrap_or_else(|| panic!("{} has no line in docs/monitoring.md", rule.name));
        assert!(line[1].starts_with(rule.severity.name()), "{line:?}");
        assert!(line[2].len() > 60, "{line:?}");
        assert!(
            document.contains(&format!("<a id=\"{}\"></a>", rule.name.to_lowercase())),
            "{} has no anchor",
            rule.name
        );
    }
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.name).collect();
    let explained: BTreeSet<&str> = lines.keys().map(String::as_str).collect();
    assert_eq!(explained, names, "an alert that does not exist is explained");
}
