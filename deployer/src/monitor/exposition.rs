//! Parses the Prometheus text format (0.0.4). Strict: a text with one wrong line is refused, because a figure from
//! half of it would be wrong. Errors name the line and never quote it. Pure.

/// The samples of one scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition(Vec<Sample>);

/// One value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// Returns the value of a label; empty if the series does not have it.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value)
    }

    /// Parses one line. Returns `None` if it is not a sample.
    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_at_checked(line.find(|c| !is_name(c)).unwrap_or(line.len()))?;
        if !name.starts_with(|c: char| is_name(c) && !c.is_ascii_digit()) {
            return None;
        }
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let mut words = rest.split_ascii_whitespace();
        let value = words.next()?.parse().ok()?;
        // A timestamp in milliseconds may follow.
        let timestamp = words.next().is_none_or(|word| word.parse::<i64>().is_ok());
        (timestamp && words.next().is_none()).then(|| Self { name: name.to_owned(), labels, value })
    }
}

const fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | ':')
}

/// Parses labels from after `{` to `}`. Returns them and what follows.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.to_owned(), value));
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// Parses a label's value from after its first quote. Returns it and what follows its last quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(match characters.next()? {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
}

impl Exposition {
    /// Parses a scrape. The error says which line is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut samples = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let sample = Sample::parse(line);
            samples.push(sample.ok_or_else(|| format!("line {} of /metrics is not a Prometheus sample", number + 1))?);
        }
        Ok(Self(samples))
    }

    /// Returns the series of a metric.
    pub fn series(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// Returns the sum of the series of a metric that `keep` accepts; `None` if the metric has no series at all.
    #[must_use]
    pub fn sum(&self, name: &str, keep: impl Fn(&Sample) -> bool) -> Option<f64> {
        let mut series = self.series(name).peekable();
        series.peek()?;
        Some(series.filter(|sample| keep(sample)).map(|sample| sample.value).sum())
    }

    /// Returns the sum of all series of a metric, or an error that names the metric.
    pub fn all(&self, name: &str) -> Result<f64, String> {
        self.sum_of(name, |_| true)
    }

    /// As [`Self::sum`], with an error that names the missing metric.
    pub fn sum_of(&self, name: &str, keep: impl Fn(&Sample) -> bool) -> Result<f64, String> {
        self.sum(name, keep).ok_or_else(|| missing(name))
    }
}

/// Returns the error of a missing metric.
pub(super) fn missing(name: &str) -> String {
    format!(
        "/metrics has no {name}: the answer is not from this gateway, or from another version; check --url and the versions"
    )
}

#[cfg(test)]
mod tests {
    use super::Exposition;

    #[test]
    fn samples_are_parsed_with_their_labels() {
        let text = "# HELP a A \"metric\"\n# TYPE a counter\na{x=\"1\",y=\"two, \\\"three\\\" \\\\ }\"} 4\n\na 5 1796000757000\n\
                    b:c_total{ le = \"+Inf\" , } +Inf\nd NaN\n";
        let found = Exposition::parse(text).unwrap();
        assert_eq!(found.sum("a", |_| true), Some(9.0));
        assert_eq!(found.series("a").next().unwrap().label("y"), "two, \"three\" \\ }");
        assert_eq!(found.sum("a", |sample| sample.label("x") == "1"), Some(4.0));
        assert_eq!(found.series("b:c_total").next().unwrap().label("le"), "+Inf");
        assert!(found.sum("d", |_| true).unwrap().is_nan());
        // No such series is not the same as zero.
        assert_eq!((found.sum("e", |_| true), found.sum("a", |_| false)), (None, Some(0.0)));
        assert!(found.all("e").unwrap_err().contains("no e:"));
    }

    #[test]
    fn a_wrong_line_is_named_and_not_quoted() {
        for line in [
            "1a 1",
            "a",
            "a{} ",
            "a{x} 1",
            "a{x=1} 1",
            "a{x=\"1} 1",
            "a{x=\"1\" y=\"2\"} 1",
            "a{x=\"\\t\"} 1",
            "a one",
            "a 1 soon",
            "a 1 2 3",
            "<html>",
            "a{x y=\"1\"} 1",
            "{x=\"1\"} 1",
        ] {
            let error = Exposition::parse(&format!("good 1\n{line}\n")).unwrap_err();
            assert_eq!(error, "line 2 of /metrics is not a Prometheus sample", "{line}");
        }
    }
}
