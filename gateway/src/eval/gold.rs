//! Reads labelled notes and predictions from JSON lines. Errors name the line number and the kind of mistake, never the
//! text of a line.

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
pub(super) struct LabelledNote {
    pub(super) id: String,
    pub(super) text: String,
    /// The labels. An absent field is not scored.
    pub(super) expected: BTreeMap<Field, Label>,
}

/// What a field must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Label {
    /// The value; `None` means that the field must be empty.
    pub(super) value: Option<String>,
    /// Values that are as right as `value`: other wordings of it.
    pub(super) alternatives: Vec<String>,
    /// Parts, split at `;`, that are neither right nor wrong.
    pub(super) accepted: String,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// The file cannot be read.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// A line is invalid.
    #[error("{}, line {number}: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        number: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file has no labelled note.
    #[error("{}: no line with a labelled note", .0.display())]
    Empty(PathBuf),
}

/// Reads labelled notes: `{"id", "text", "expected": {...}}`, perhaps with `alt` and `accept`, or the training set's `{"input", "output": {...}}`.
pub(super) fn read(path: &Path) -> Result<Vec<LabelledNote>, BadFile> {
    let items = lines(path)?
        .into_iter()
        .map(|(number, line)| item(number, &line).map_err(|why| BadFile::Line { path: path.to_owned(), number, why }))
        .collect::<Result<Vec<_>, _>>()?;
    if items.is_empty() { Err(BadFile::Empty(path.to_owned())) } else { Ok(items) }
}

fn item(number: usize, line: &Map<String, Value>) -> Result<LabelledNote, &'static str> {
    let text = line.get("text").or(line.get("input")).and_then(Value::as_str).ok_or("no string `text` (or `input`)")?;
    let labels = line.get("expected").or(line.get("output")).and_then(Value::as_object);
    let labels = labels.ok_or("no object `expected` (or `output`)")?;
    let mut expected = BTreeMap::new();
    for (key, label) in labels {
        let field = Field::named(key).ok_or("`expected` has a key that is not one of the seven fields")?;
        expected.insert(field, Label { value: value(label)?, ..Label::default() });
    }
    for (key, values) in object(line, "alt")? {
        let field = Field::named(key).ok_or("`alt` has a key that is not one of the seven fields")?;
        let values = values.as_array().ok_or("a field of `alt` is not a list of values")?;
        let values = values.iter().filter_map(|one| value(one).transpose()).collect::<Result<_, _>>()?;
        if let Some(label) = expected.get_mut(&field) {
            label.alternatives = values;
        }
    }
    for (key, parts) in object(line, "accept")? {
        let field = Field::named(key).ok_or("`accept` has a key that is not one of the seven fields")?;
        if let (Some(label), Some(parts)) = (expected.get_mut(&field), value(parts)?) {
            label.accepted = parts;
        }
    }
    Ok(LabelledNote { id: id(number, line)?, text: text.to_owned(), expected })
}

/// Returns the fields of an object that a line need not have.
fn object<'l>(
    line: &'l Map<String, Value>,
    key: &str,
) -> Result<impl Iterator<Item = (&'l String, &'l Value)>, &'static str> {
    match line.get(key) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(fields)) => Ok(Some(fields).into_iter().flatten()),
        Some(_) => Err("`alt` or `accept` is not an object"),
    }
}

/// Returns the id of a line; its number if it has none.
fn id(number: usize, line: &Map<String, Value>) -> Result<String, &'static str> {
    match line.get("id") {
        None => Ok(number.to_string()),
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Number(id)) => Ok(id.to_string()),
        Some(_) => Err("`id` is neither a string nor a number"),
    }
}

/// Returns the value of a label or prediction: a string, null, or a list of strings, joined by `"; "`.
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

/// Reads predictions and matches them to the labelled notes by id. The seven keys are in `prediction`, `record`,
/// `result`, `output` or at the top, as in an answer of the service. A note without a line counts as failed.
pub(super) fn predictions(path: &Path, items: &[LabelledNote]) -> Result<Vec<Prediction>, BadFile> {
    let mut by_id: HashMap<String, Prediction> = HashMap::new();
    for (number, line) in lines(path)? {
        let invalid = |why| BadFile::Line { path: path.to_owned(), number, why };
        let nested = ["prediction", "record", "result", "output"];
        let record = nested.iter().find_map(|key| line.get(*key).and_then(Value::as_object)).unwrap_or(&line);
        let mut predicted = Prediction::default();
        for field in Field::ALL {
            if let Some(value) = record.get(field.name()).map(value).transpose().map_err(invalid)?.flatten() {
                predicted.values.insert(field, value);
            }
        }
        if by_id.insert(id(number, &line).map_err(invalid)?, predicted).is_some() {
            return Err(invalid("a second line with the same id"));
        }
    }
    let prediction =
        |item: &LabelledNote| by_id.remove(&item.id).unwrap_or_else(|| Prediction::failed("no_prediction"));
    Ok(items.iter().map(prediction).collect())
}

/// The number of a line, counted from 1, and the object on it.
type Line = (usize, Map<String, Value>);

fn lines(path: &Path) -> Result<Vec<Line>, BadFile> {
    let text = fs::read_to_string(path).map_err(|cause| BadFile::Unreadable { path: path.to_owned(), cause })?;
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let invalid = |at: usize, why| BadFile::Line { path: path.to_owned(), number: at + 1, why };
    numbered
        .map(|(at, line)| match serde_json::from_str(line) {
            Ok(Value::Object(object)) => Ok((at + 1, object)),
            Ok(_) => Err(invalid(at, "not a JSON object")),
            Err(_) => Err(invalid(at, "not JSON")),
        })
        .collect()
}
