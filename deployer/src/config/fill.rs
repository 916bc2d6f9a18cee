//! Filling in config/deployment.toml: values are set where the shipped file's stand or none, comments stay, and what a
//! person wrote is kept unless that is overruled. Pure.

use toml_edit::{DocumentMut, Item, Table, Value};

use crate::failure::Failure;

/// The file as it is shipped.
pub const SHIPPED: &str = include_str!("../../../config/deployment.toml");

/// A key and the value it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredKey {
    /// `[table]`, or empty.
    pub table: &'static str,
    /// The key in it.
    pub key: &'static str,
    /// Its value.
    pub value: String,
}

/// What became of the wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillResult {
    /// The file's new text.
    pub text: String,
    /// Keys that were set.
    pub set: Vec<String>,
    /// Keys that a person had set to something else: left as they are.
    pub kept: Vec<String>,
}

/// The text of a key, if it is one.
#[must_use]
pub fn value_in(text: &str, table: &str, key: &str) -> Option<String> {
    let document: DocumentMut = text.parse().ok()?;
    current(&document, table, key)
}

/// Fills in what is wished for.
pub fn fill(text: &str, wishes: &[DesiredKey], force: bool) -> Result<FillResult, Failure> {
    let mut document = read(text)?;
    let shipped = read(SHIPPED)?;
    let (mut set, mut kept) = (Vec::new(), Vec::new());
    for wish in wishes {
        let now = current(&document, wish.table, wish.key);
        if now.as_ref() == Some(&wish.value) {
            continue;
        }
        let name = if wish.table.is_empty() { wish.key.to_owned() } else { format!("{}.{}", wish.table, wish.key) };
        let empty = now.as_ref().is_none_or(String::is_empty);
        if !empty && now != current(&shipped, wish.table, wish.key) && !force {
            kept.push(name);
            continue;
        }
        put(&mut document, wish)?;
        set.push(name);
    }
    Ok(FillResult { text: document.to_string(), set, kept })
}

fn read(text: &str) -> Result<DocumentMut, Failure> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        Failure::usage(
            format!("the configuration is not understood: {}", error.to_string().trim_end()),
            "Correct it, or move it away: deployer init then begins with the shipped one.",
        )
    })
}

fn current(document: &DocumentMut, table: &str, key: &str) -> Option<String> {
    let item = if table.is_empty() { document.get(key) } else { document.get(table)?.get(key) };
    item?.as_str().map(str::to_owned)
}

fn put(document: &mut DocumentMut, wish: &DesiredKey) -> Result<(), Failure> {
    let table = if wish.table.is_empty() {
        document.as_table_mut()
    } else {
        let item = document.entry(wish.table).or_insert_with(|| Item::Table(Table::new()));
        item.as_table_mut().ok_or_else(|| {
            Failure::usage(
                format!("the configuration's `{}` is no table", wish.table),
                format!("Write it as [{}] with its keys on lines of their own.", wish.table),
            )
        })?
    };
    let mut value = Value::from(wish.value.as_str());
    match table.get_mut(wish.key) {
        // The key keeps the comment above it, and the value the one behind it.
        Some(old) => {
            if let Some(old) = old.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *old = Item::Value(value);
        }
        None => {
            table.insert(wish.key, Item::Value(value));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{DesiredKey, FillResult, SHIPPED, fill, value_in};

    fn wish(table: &'static str, key: &'static str, value: &str) -> DesiredKey {
        DesiredKey { table, key, value: value.to_owned() }
    }

    fn check(text: &str, wishes: &[DesiredKey], force: bool) -> FillResult {
        fill(text, wishes, force).unwrap()
    }

    #[test]
    fn the_shipped_values_are_nobodys_edits() {
        let wishes = [wish("", "region", "eu-west-1"), wish("model", "adapter_revision", "abc")];
        let filled = check(SHIPPED, &wishes, false);
        assert_eq!(filled.set, ["region", "model.adapter_revision"]);
        assert_eq!(value_in(&filled.text, "", "region").as_deref(), Some("eu-west-1"));
        assert_eq!(value_in(&filled.text, "model", "adapter_revision").as_deref(), Some("abc"));
        // Every comment is still there.
        for comment in SHIPPED.lines().filter(|line| line.starts_with('#')) {
            assert!(filled.text.contains(comment), "{comment}");
        }
        assert_eq!(
            check(&filled.text, &wishes, false),
            FillResult { text: filled.text.clone(), set: vec![], kept: vec![] }
        );
    }

    #[test]
    fn an_edit_is_kept_unless_overruled() {
        let own = SHIPPED.replace("region = \"us-east-1\"", "region = \"eu-north-1\" # ours");
        let wishes = [wish("", "region", "eu-west-1")];
        let filled = check(&own, &wishes, false);
        assert_eq!((filled.text, filled.set.len(), filled.kept), (own.clone(), 0, vec!["region".to_owned()]));
        let forced = check(&own, &wishes, true);
        assert!(forced.text.contains("region = \"eu-west-1\" # ours"), "{}", forced.text);
    }

    #[test]
    fn no_text_breaks_out_of_its_value() {
        for odd in ["a\"\nregion = \"x", "''' \\ \u{7}"] {
            let filled = check(SHIPPED, &[wish("box", "instance_id", odd)], true);
            assert_eq!(value_in(&filled.text, "box", "instance_id").as_deref(), Some(odd));
            assert_eq!(value_in(&filled.text, "", "region").as_deref(), Some("us-east-1"));
        }
    }

    #[test]
    fn what_is_no_toml_is_refused() {
        assert_eq!(fill("region = ", &[], true).unwrap_err().exit.code(), 2);
        assert_eq!(fill("box = 1", &[wish("box", "instance_id", "i-1")], true).unwrap_err().exit.code(), 2);
    }
}
