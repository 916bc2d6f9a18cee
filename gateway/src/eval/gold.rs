//! Labelled notes and predictions, from JSON lines. What is wrong with a file is said by line number and
//! kind, never by its text.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::Prediction;
use crate::extraction::Field;

/// One labelled note.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) text: String,
    /// The labels: a field that is absent is not scored, `None` must be empty.
    pub(super) expected: BTreeMap<Field, Option<String>>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// It cannot be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A line is not what it must be.
    #[error("{}, line {number}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        number: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is nothing in it.
    #[error("{}: no line with a labelled note", .0.display())]
    Empty(PathBuf),
}

/// Reads labels: `{"id", "text", "expected": {...}}`, or the training set's `{"input", "output": {...}}`.
pub(super) fn read(path: &Path) -> Result<Vec<Item>, BadFile> {
    let items = lines(path)?
        .into_iter()
        .map(|(number, line)| item(number, &line).map_err(|why| BadFile::Line { path: path.to_owned(), number, why }))
        .collect::<Result<Vec<_>, _>>()?;
    if items.is_empty() { Err(BadFile::Empty(path.to_owned())) } else { Ok(items) }
}

fn item(number: usize, line: &Map<String, Value>) -> Result<Item, &'static str> {
    let text = line.get("text").or(line.get("input")).and_then(Value::as_str).ok_or("no string `text` (or `input`)")?;
    let labels = line.get("expected").or(line.get("output")).and_then(Value::as_object);
    let labels = labels.ok_or("no object `expected` (or `output`)")?;
    let mut expected = BTreeMap::new();
    for (key, label) in labels {
        let field = Field::named(key).ok_or("`expected` has a key that is none of the seven fields")?;
        expected.insert(field, value(label)?);
    }
    Ok(Item { id: id(number, line)?, text: text.to_owned(), expected })
}

/// The line's id; its number where it has none.
fn id(number: usize, line: &Map<String, Value>) -> Result<String, &'static str> {
    match line.get("id") {
        None => Ok(number.to_string()),
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        Some(_) => Err("`id` is neither a string nor a number"),
    }
}

/// A label or prediction: a string, null, or a list of strings.
fn value(value: &Value) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Array(list) => {
            let parts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            Ok(Some(parts.ok_or("a field is a list of something other than strings")?.join("; ")))
        }
        _ => Err("a field is neither a string, null nor a list of strings"),
    }
}

/// Reads predictions, matched to the labels by id: the seven keys at `prediction`, `record`, `result`,
/// `output` or at the top, as in an answer of the service. A note without a line has no values.
pub(super) fn predictions(path: &Path, items: &[Item]) -> Result<Vec<Prediction>, BadFile> {
    let mut by_id: HashMap<String, Prediction> = HashMap::new();
    for (number, line) in lines(path)? {
        let bad = |why| BadFile::Line { path: path.to_owned(), number, why };
        let nested = ["prediction", "record", "result", "output"];
        let record = nested.iter().find_map(|key| line.get(*key).and_then(Value::as_object)).unwrap_or(&line);
        let mut predicted = Prediction::default();
        for field in Field::ALL {
            if let Some(value) = record.get(field.name()).map(value).transpose().map_err(bad)?.flatten() {
                predicted.values.insert(field, value);
            }
        }
        if by_id.insert(id(number, &line).map_err(bad)?, predicted).is_some() {
            return Err(bad("a second line with the same id"));
        }
    }
    let of = |item: &Item| by_id.remove(&item.id).unwrap_or_else(|| Prediction::failed("no_prediction"));
    Ok(items.iter().map(of).collect())
}

/// A line's number and the object on it.
type Line = (usize, Map<String, Value>);

fn lines(path: &Path) -> Result<Vec<Line>, BadFile> {
    let text = fs::read_to_string(path).map_err(|cause| BadFile::Unreadable { path: path.to_owned(), cause })?;
    let written = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let bad = |at: usize, why| BadFile::Line { path: path.to_owned(), number: at + 1, why };
    written
        .map(|(at, line)| match serde_json::from_str(line) {
            Ok(Value::Object(object)) => Ok((at + 1, object)),
            Ok(_) => Err(bad(at, "not a JSON object")),
            Err(_) => Err(bad(at, "not JSON")),
        })
        .collect()
}
