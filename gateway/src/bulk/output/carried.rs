//! The carried values in JSON: `"carried": {name: value}` at the end of a result line.

use std::borrow::Cow;

/// Returns a result line with the carried values; the line itself if there are none. A note that could not be read up to
/// its columns has empty texts.
pub(in crate::bulk) fn with_carried<'a>(line: &'a str, keep: &[String], values: &[String]) -> Cow<'a, str> {
    let Some(body) = line.trim_end().strip_suffix('}').filter(|_| !keep.is_empty()) else { return Cow::Borrowed(line) };
    let empty = String::new();
    let pairs: Vec<String> = keep
        .iter()
        .enumerate()
        .map(|(at, name)| format!("{}:{}", json(name), json(values.get(at).unwrap_or(&empty))))
        .collect();
    Cow::Owned(format!("{body},\"carried\":{{{}}}}}\n", pairs.join(",")))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
