//! The gateway's settings file as the host gets it. With `[[model.adapters]]` the deployer writes into it which models
//! are served and which answer for the public name. The host changes the line with the weights (`bash/models.sh`).

use toml_edit::{Array, DocumentMut, Item, Table};

use super::adapters::{self, Adapter};
use crate::failure::Failure;

/// The end of the line with the weights. `bash/models.sh` finds the line by it.
const MARK: &str = " # deployer model use";

/// The settings file for the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GatewayFile {
    pub(super) content: Vec<u8>,
    /// What answers for the public name, as words NAME=WEIGHT; `None` if that is itself the name of a model.
    pub(super) route: Option<String>,
}

/// Returns the file for the host: unchanged without adapters.
pub(super) fn of(content: Vec<u8>, adapters: &[Adapter]) -> Result<GatewayFile, Failure> {
    let file = "config/gateway.toml";
    let text = std::str::from_utf8(&content).unwrap_or_default();
    let document = text.parse::<DocumentMut>();
    let Some(default) = adapters::default_route(adapters) else {
        // The gateway refuses a file that is not TOML, with an error that has the line.
        let route = document.ok().and_then(|document| own_route(&document));
        return Ok(GatewayFile { content, route });
    };
    let mut document = document.map_err(|error| {
        Failure::usage(format!("{file} is not understood: {}", error.to_string().trim_end()), "Correct it.")
    })?;
    for (table, key) in [("vllm", "models"), ("routing", "models")] {
        if document.get(table).and_then(|item| item.get(key)).is_some() {
            return Err(Failure::usage(
                format!("{file} sets {table}.{key}, which the deployer writes from model.adapters"),
                format!("Remove {table}.{key} from {file}; deployer model use sets which models answer."),
            ));
        }
    }
    let served: Array = adapters.iter().map(Adapter::served_name).collect();
    put(&mut document, "vllm", served.into())?;
    let mut weights = toml_edit::Value::from(std::iter::once(default.clone()).collect::<Array>());
    weights.decor_mut().set_suffix(MARK);
    put(&mut document, "routing", weights)?;
    let text = document.to_string();
    // The host looks for exactly one such line.
    if text.lines().filter(|line| line.ends_with(&format!("]{MARK}"))).count() != 1 {
        return Err(Failure::usage(
            format!("{file} writes vllm or routing in a form that the deployer cannot add to"),
            "Write them as tables of their own: [vllm], [routing].",
        ));
    }
    Ok(GatewayFile { content: text.into_bytes(), route: Some(default) })
}

fn put(document: &mut DocumentMut, table: &str, models: toml_edit::Value) -> Result<(), Failure> {
    let item = document.entry(table).or_insert_with(|| Item::Table(Table::new()));
    let Some(table) = item.as_table_mut() else {
        return Err(Failure::usage(
            format!("config/gateway.toml writes {table} in one line, to which the deployer cannot add"),
            format!("Write it as a table: [{table}]."),
        ));
    };
    // After the keys of the table and not after a table in it.
    table.insert("models", Item::Value(models));
    Ok(())
}

/// Returns the routing of a file that the operator wrote: what `deployer` verifies the test note's answer by.
fn own_route(document: &DocumentMut) -> Option<String> {
    let models = document.get("routing")?.get("models")?.as_array()?;
    let words: Option<Vec<&str>> = models.iter().map(toml_edit::Value::as_str).collect();
    let words: Vec<String> = words?.iter().map(|word| word.split_whitespace().collect()).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{Adapter, of};

    fn adapters() -> Vec<Adapter> {
        let adapter = |revision: &str| Adapter {
            name: "medical-ie".to_owned(),
            repo: "owner/adapter".to_owned(),
            revision: revision.repeat(5),
            rank: None,
            base: None,
        };
        vec![adapter("0123abcd"), adapter("89ef4567")]
    }

    const SERVED: &str = "models = [\"medical-ie@0123abcd\", \"medical-ie@89ef4567\"]\n";
    const WEIGHTS: &str = "models = [\"medical-ie@0123abcd=100\"] # deployer model use\n";

    #[test]
    fn the_models_are_added_and_the_rest_stays() {
        for (text, expected) in [
            ("listen = \"x\" # why\n", format!("listen = \"x\" # why\n\n[vllm]\n{SERVED}\n[routing]\n{WEIGHTS}")),
            (
                "[routing]\nsticky = \"note\"\n[vllm]\nprompt = \"legacy\"\n",
                format!("[routing]\nsticky = \"note\"\n{WEIGHTS}[vllm]\nprompt = \"legacy\"\n{SERVED}"),
            ),
        ] {
            let file = of(text.into(), &adapters()).unwrap();
            assert_eq!(String::from_utf8(file.content).unwrap(), expected, "{text}");
            assert_eq!(file.route.as_deref(), Some("medical-ie@0123abcd=100"));
        }
        for text in ["vllm.prompt = \"legacy\"\nrouting.sticky = \"note\"\n", "[routing]\n# sticky\n\n[log]\n"] {
            let written = String::from_utf8(of(text.into(), &adapters()).unwrap().content).unwrap();
            let document: toml::Table = written.parse().unwrap_or_else(|error| panic!("{error}: {written}"));
            assert_eq!(document["routing"]["models"][0].as_str(), Some("medical-ie@0123abcd=100"), "{written}");
            assert_eq!(document["vllm"]["models"].as_array().map(Vec::len), Some(2), "{written}");
        }
    }

    #[test]
    fn models_that_the_operator_wrote_are_refused_beside_adapters_and_used_without() {
        for (text, word) in [
            ("[routing]\nmodels = [\"a=100\"]\n", "sets routing.models"),
            ("vllm.models = []\n", "sets vllm.models"),
            ("vllm = {prompt = \"legacy\"}\n", "in one line"),
            ("= x\n", "is not understood"),
        ] {
            let failure = of(text.into(), &adapters()).unwrap_err();
            assert!(failure.what.contains(word), "{text}: {failure}");
        }
        for (text, route) in [
            ("[routing]\nmodels = [\n  \"a@1=90\",\n  'b = 10',\n]\n", Some("a@1=90 b=10")),
            ("routing.models = [\"a=100\"]\n", Some("a=100")),
            ("[routing]\nmodels = []\n", None),
            ("listen = \"x\"\n", None),
            ("= x\n", None),
        ] {
            let file = of(text.into(), &[]).unwrap();
            assert_eq!((file.content.as_slice(), file.route.as_deref()), (text.as_bytes(), route), "{text}");
        }
    }
}
