//! Fills in config/deployment.toml. Pure. A key is set if it is empty or has the value of the shipped file. An
//! operator's own value is kept unless `force` is set. Comments stay.

use toml_edit::{DocumentMut, Item, Table, Value};

use crate::failure::Failure;

/// The shipped config/deployment.toml.
pub const SHIPPED: &str = include_str!("../../../config/deployment.toml");

/// A key and the value that it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredKey {
    /// The name of the table; empty for a key outside of every table.
    pub table: &'static str,
    /// The key in the table.
    pub key: &'static str,
    /// The value that the key should have.
    pub value: String,
}

/// The filled-in text, and what happened to each desired key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillResult {
    /// The new text of the file.
    pub text: String,
    /// Keys that were set.
    pub set: Vec<String>,
    /// Keys that keep another value, which the operator had set.
    pub kept: Vec<String>,
}

/// Returns the value of a key; `None` if the key is missing or its value is not a string.
#[must_use]
pub fn value_in(text: &str, table: &str, key: &str) -> Option<String> {
    let document: DocumentMut = text.parse().ok()?;
    current(&document, table, key)
}

/// Sets the desired keys in the text of a configuration. `force` also replaces values that the operator had set.
pub fn fill(text: &str, desired_keys: &[DesiredKey], force: bool) -> Result<FillResult, Failure> {
    let mut document = read(text)?;
    let shipped = read(SHIPPED)?;
    let (mut set, mut kept) = (Vec::new(), Vec::new());
    for desired in desired_keys {
        let now = current(&document, desired.table, desired.key);
        if now.as_ref() == Some(&desired.value) {
            continue;
        }
        let name = if desired.table.is_empty() {
            desired.key.to_owned()
        } else {
            format!("{}.{}", desired.table, desired.key)
        };
        let empty = now.as_ref().is_none_or(String::is_empty);
        if !empty && now != current(&shipped, desired.table, desired.key) && !force {
            kept.push(name);
            continue;
        }
        put(&mut document, desired)?;
        set.push(name);
    }
    Ok(FillResult { text: document.to_string(), set, kept })
}

fn read(text: &str) -> Result<DocumentMut, Failure> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        Failure::usage(
            format!("the configuration is not understood: {}", error.to_string().trim_end()),
            "Correct it, or move it to another folder: deployer init then starts from the shipped one.",
        )
    })
}

fn current(document: &DocumentMut, table: &str, key: &str) -> Option<String> {
    let item = if table.is_empty() { document.get(key) } else { document.get(table)?.get(key) };
    item?.as_str().map(str::to_owned)
}

fn put(document: &mut DocumentMut, desired: &DesiredKey) -> Result<(), Failure> {
    let table = if desired.table.is_empty() {
        document.as_table_mut()
    } else {
        let item = document.entry(desired.table).or_insert_with(|| Item::Table(Table::new()));
        item.as_table_mut().ok_or_else(|| {
            Failure::usage(
                format!("the configuration's `{}` is not a table", desired.table),
                format!("Write it as [{}] with its keys on lines of their own.", desired.table),
            )
        })?
    };
    let mut value = Value::from(desired.value.as_str());
    match table.get_mut(desired.key) {
        // The comment above the key stays with the key; the comment after the value is in the value's decor.
        Some(old) => {
            if let Some(old) = old.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *old = Item::Value(value);
        }
        None => {
            table.insert(desired.key, Item::Value(value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DesiredKey, FillResult, SHIPPED, fill, value_in};

    fn desired(table: &'static str, key: &'static str, value: &str) -> DesiredKey {
        DesiredKey { table, key, value: value.to_owned() }
    }

    fn check(text: &str, desired_keys: &[DesiredKey], force: bool) -> FillResult {
        fill(text, desired_keys, force).unwrap()
    }

    #[test]
    fn shipped_values_are_replaced() {
        let desired_keys = [desired("", "region", "eu-west-1"), desired("model", "adapter_revision", "abc")];
        let filled = check(SHIPPED, &desired_keys, false);
        assert_eq!(filled.set, ["region", "model.adapter_revision"]);
        assert_eq!(value_in(&filled.text, "", "region").as_deref(), Some("eu-west-1"));
        assert_eq!(value_in(&filled.text, "model", "adapter_revision").as_deref(), Some("abc"));
        // No comment is lost.
        for comment in SHIPPED.lines().filter(|line| line.starts_with('#')) {
            assert!(filled.text.contains(comment), "{comment}");
        }
        assert_eq!(
            check(&filled.text, &desired_keys, false),
            FillResult { text: filled.text.clone(), set: vec![], kept: vec![] }
        );
    }

    #[test]
    fn an_operators_value_is_kept_unless_forced() {
        let edited = SHIPPED.replace("region = \"us-east-1\"", "region = \"eu-north-1\" # ours");
        let desired_keys = [desired("", "region", "eu-west-1")];
        let filled = check(&edited, &desired_keys, false);
        assert_eq!((filled.text, filled.set.len(), filled.kept), (edited.clone(), 0, vec!["region".to_owned()]));
        let forced = check(&edited, &desired_keys, true);
        assert!(forced.text.contains("region = \"eu-west-1\" # ours"), "{}", forced.text);
    }

    #[test]
    fn special_characters_stay_inside_their_value() {
        for odd in ["a\"\nregion = \"x", "''' \\ \u{7}"] {
            let filled = check(SHIPPED, &[desired("box", "instance_id", odd)], true);
            assert_eq!(value_in(&filled.text, "box", "instance_id").as_deref(), Some(odd));
            assert_eq!(value_in(&filled.text, "", "region").as_deref(), Some("us-east-1"));
        }
    }

    #[test]
    fn invalid_toml_is_refused() {
        assert_eq!(fill("region = ", &[], true).unwrap_err().exit.code(), 2);
        assert_eq!(fill("box = 1", &[desired("box", "instance_id", "i-1")], true).unwrap_err().exit.code(), 2);
    }
}
