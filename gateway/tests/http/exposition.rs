//! Reads the two formats of `/metrics`.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};

use crate::{metrics::OPENMETRICS, send};

pub(crate) type Labels = BTreeMap<String, String>;

/// A family of metrics.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    pub(crate) unit: Option<String>,
    pub(crate) samples: Vec<(String, Labels, f64)>,
}

impl Family {
    pub(crate) fn label_sets(&self) -> BTreeSet<Labels> {
        let mut sets: Vec<Labels> = self.samples.iter().map(|(_, labels, _)| labels.clone()).collect();
        for labels in &mut sets {
            labels.remove("le");
        }
        sets.into_iter().collect()
    }

    /// Returns the values of a label.
    pub(crate) fn values(&self, label: &str) -> BTreeSet<String> {
        self.samples.iter().filter_map(|(_, labels, _)| labels.get(label).cloned()).collect()
    }

    pub(crate) fn value(&self, suffix: &str, wanted: &[(&str, &str)]) -> f64 {
        let is_wanted =
            |labels: &Labels| wanted.iter().all(|(name, value)| labels.get(*name).is_some_and(|v| v == value));
        let samples = self.samples.iter().filter(|(name, labels, _)| name.ends_with(suffix) && is_wanted(labels));
        samples.map(|(_, _, value)| value).sum()
    }

    /// Returns whether a value is the expected one.
    pub(crate) fn is(&self, suffix: &str, wanted: &[(&str, &str)], expected: f64) -> bool {
        (self.value(suffix, wanted) - expected).abs() < 1e-6
    }
}

pub(crate) async fn scrape(router: &Router, accept: &str) -> (HeaderMap, String) {
    let request = Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
    let (status, headers, body) = send(router, request).await;
    assert_eq!(status.as_u16(), 200);
    (headers, String::from_utf8(body).unwrap())
}

/// Returns the families by the names of `OpenMetrics`, without `_total`.
pub(crate) async fn families(router: &Router) -> BTreeMap<String, Family> {
    parse(&scrape(router, OPENMETRICS).await.1, true)
}

/// Parses a text format by its rules: each family is described before its samples, which are together.
pub(crate) fn parse(text: &str, openmetrics: bool) -> BTreeMap<String, Family> {
    let (mut families, mut current) = (BTreeMap::<String, Family>::new(), String::new());
    let text = if openmetrics { text.strip_suffix("# EOF\n").unwrap() } else { text };
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let (word, rest) = comment.split_once(' ').unwrap();
            let (name, value) = rest.split_once(' ').unwrap();
            if word == "HELP" {
                name.clone_into(&mut current);
                assert!(families.insert(current.clone(), Family::default()).is_none(), "{name} is described twice");
            }
            let family = families.get_mut(&current).unwrap();
            assert!(name == current && family.samples.is_empty() && !value.is_empty(), "{line}");
            match word {
                "HELP" => value.clone_into(&mut family.help),
                "TYPE" => value.clone_into(&mut family.kind),
                "UNIT" if openmetrics => {
                    assert!(name.ends_with(&format!("_{value}")), "{line}");
                    family.unit = Some(value.to_owned());
                }
                _ => unreachable!("{line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap();
        let pairs = labels.split("\",").filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once("=\"").unwrap();
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        });
        let labels: Labels = pairs.collect();
        let family = families.get_mut(&current).unwrap();
        let suffix = name.strip_prefix(&current).unwrap();
        let suffixes: &[&str] = match family.kind.as_str() {
            "histogram" => &["_sum", "_count", "_bucket"],
            "counter" if openmetrics => &["_total"],
            "counter" => {
                assert!(current.ends_with("_total"), "{line}");
                &[""]
            }
            "gauge" => &[""],
            kind => unreachable!("{kind}"),
        };
        assert!(suffixes.contains(&suffix), "{line}");
        assert!(!family.samples.iter().any(|(known, with, _)| known == name && *with == labels), "twice: {line}");
        family.samples.push((name.to_owned(), labels, value.parse().unwrap()));
    }
    for (name, family) in families.iter().filter(|(_, family)| family.kind == "histogram") {
        for labels in family.label_sets() {
            let of: Vec<_> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let infinite = family.value("_bucket", &[of.as_slice(), &[("le", "+Inf")]].concat());
            assert!((infinite - family.value("_count", &of)).abs() < 0.1, "{name} {labels:?}");
        }
    }
    families
}
