//! The adapters of `[[model.adapters]]`: several models on one model server. Each is served by a name that ends in its
//! revision, `NAME@REV8`, so that a name never refers to other weights than before.

use serde::Deserialize;

/// The longest `name`, as the host accepts it in a route.
const LONGEST_NAME: usize = 64;
/// The most adapters: the model server reads with all of them in one step, and each takes its memory.
const MOST: usize = 16;

/// The keys of a `[[model.adapters]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// The first part of the served name, such as `medical-ie`.
    pub name: String,
    /// The adapter on Hugging Face, OWNER/NAME, or a folder on the host that begins with `/`.
    pub repo: String,
    /// The full commit, 40 hexadecimal digits.
    pub revision: String,
    /// The rank of the adapter, if it should be compared with `model.max_lora_rank` before a box is started.
    pub rank: Option<u32>,
    /// The base model that its settings name, if that is another name of `model.base`.
    pub base: Option<String>,
}

impl Adapter {
    /// Returns the name under which the model server offers it: `medical-ie@0123abcd`.
    #[must_use]
    pub fn served_name(&self) -> String {
        format!("{}@{}", self.name, self.revision.chars().take(8).collect::<String>())
    }

    /// Returns its word in `VLLM_ADAPTERS`, which config/vllm-entrypoint.sh reads.
    fn word(&self) -> String {
        let served = self.served_name();
        if self.repo.starts_with('/') {
            format!("{served}={}", self.repo)
        } else {
            format!("{served}={}@{}", self.repo, self.revision)
        }
    }
}

/// Returns the value of `VLLM_ADAPTERS`.
pub(super) fn variable(adapters: &[Adapter]) -> String {
    adapters.iter().map(Adapter::word).collect::<Vec<_>>().join(" ")
}

/// Returns the value of `VLLM_ADAPTER_BASES`: the other names of the base model, each once.
pub(super) fn bases(adapters: &[Adapter]) -> String {
    let mut bases: Vec<&str> = adapters.iter().filter_map(|adapter| adapter.base.as_deref()).collect();
    bases.sort_unstable();
    bases.dedup();
    bases.join(" ")
}

/// Returns the route of the public name until `deployer model use` changes it: the first adapter.
pub(super) fn default_route(adapters: &[Adapter]) -> Option<String> {
    adapters.first().map(|adapter| format!("{}=100", adapter.served_name()))
}

/// Returns the first adapter that cannot be served, by its key, and what is wrong with it. `highest_rank` is that of
/// the model server, `public_name` the name that represents all of them.
pub(super) fn wrong(adapters: &[Adapter], highest_rank: u32, public_name: &str) -> Option<(String, String)> {
    if adapters.len() > MOST {
        return Some(("model.adapters".to_owned(), format!("must be at most {MOST}")));
    }
    let mut served: Vec<String> = Vec::new();
    for (index, adapter) in adapters.iter().enumerate() {
        let number = index + 1;
        let refuse = |key: &str, must: String| Some((format!("model.adapters, number {number}: {key}"), must));
        if !is_name(&adapter.name) {
            return refuse(
                "name",
                "must be 1 to 64 letters, digits and . _ -, without @: the revision is added to it".to_owned(),
            );
        }
        if !is_repo(&adapter.repo) {
            return refuse("repo", "must be OWNER/NAME on Hugging Face, or a folder on the host".to_owned());
        }
        if adapter.revision.len() != 40 || !adapter.revision.bytes().all(is_lower_hex) {
            return refuse(
                "revision",
                format!(
                    "must be the full commit, 40 hexadecimal digits in lower case, from \
                     https://huggingface.co/{}/commits/main: a name must never refer to other weights than before",
                    adapter.repo
                ),
            );
        }
        if adapter.rank.is_some_and(|rank| rank == 0 || rank > highest_rank) {
            return refuse(
                "rank",
                format!("must be between 1 and model.max_lora_rank, which is {highest_rank}: raise that limit"),
            );
        }
        if adapter.base.as_deref().is_some_and(|base| !is_repo(base)) {
            return refuse("base", "must be OWNER/NAME on Hugging Face".to_owned());
        }
        let name = adapter.served_name();
        if name == public_name {
            return refuse("name", "gives the public name, model.served_name, which represents all of them".to_owned());
        }
        if served.contains(&name) {
            return refuse("name", format!("gives {name} a second time"));
        }
        served.push(name);
    }
    None
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(allowed) && !text.contains("..")
}

/// Returns whether config/vllm-entrypoint.sh takes a text as OWNER/NAME, or it is a folder.
fn is_repo(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let parts = || text.trim_start_matches('/').split('/');
    let is_folder = text.starts_with('/');
    !text.contains("..") && parts().all(part) && (is_folder || parts().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::{Adapter, bases, default_route, variable, wrong};

    const GOOD: &str =
        "name = \"medical-ie\"\nrepo = \"owner/adapter\"\nrevision = \"0123abcd0123abcd0123abcd0123abcd0123abcd\"\n";

    #[derive(Debug, serde::Deserialize)]
    struct List {
        adapters: Vec<Adapter>,
    }

    fn list(adapters: &[&str]) -> Result<Vec<Adapter>, toml::de::Error> {
        let text = adapters.iter().fold(String::new(), |text, keys| text + "[[adapters]]\n" + keys);
        toml::from_str::<List>(&text).map(|list| list.adapters)
    }

    fn wrong_of(adapters: &[&str]) -> Option<(String, String)> {
        wrong(&list(adapters).unwrap(), 16, "medical-ie")
    }

    #[test]
    fn an_adapter_that_cannot_be_served_is_refused_by_its_number() {
        let with = |from: &str, to: &str| GOOD.replace(from, to);
        for (second, expected) in [
            (with("0123abcd\"", "0123abce\"").replace("\"0123", "\"f123"), None),
            (with("owner/adapter", "/models/two").replace("\"0123", "\"f123"), None),
            (format!("{}rank = 16\nbase = \"o/b\"\n", with("\"0123", "\"f123")), None),
            (GOOD.to_owned(), Some("number 2: name gives medical-ie@0123abcd a second time")),
            (with("medical-ie", "medical-ie@0123abcd"), Some("number 2: name must be 1 to 64")),
            (with("medical-ie", "../x"), Some("number 2: name must be")),
            (with("owner/adapter", "adapter"), Some("number 2: repo must be OWNER/NAME")),
            (with("owner/adapter", "a/b/c"), Some("number 2: repo must be OWNER/NAME")),
            (with("owner/adapter", "a/$(id)"), Some("number 2: repo must be OWNER/NAME")),
            (with("0123abcd\"", "\""), Some("number 2: revision must be the full commit")),
            (with("\"0123abcd", "\"0123ABCD"), Some("number 2: revision must be the full commit")),
            (with("\"0123abcd0123abcd0123abcd0123abcd0123abcd\"", "\"main\""), Some("number 2: revision must")),
            (format!("{}rank = 64\n", with("\"0123", "\"f123")), Some("number 2: rank must be between 1 and")),
            (format!("{}rank = 0\n", with("\"0123", "\"f123")), Some("number 2: rank must be between 1 and")),
            (format!("{}base = \"a b\"\n", with("\"0123", "\"f123")), Some("number 2: base must be")),
        ] {
            let found = wrong_of(&[GOOD, &second]).map(|(key, must)| format!("{key} {must}"));
            match (&found, expected) {
                (None, None) => {}
                (Some(found), Some(expected)) => assert!(found.contains(expected), "{second}: {found}"),
                (found, expected) => panic!("{second}: {found:?}, not {expected:?}"),
            }
        }
        assert!(list(&["name = \"a\"\nrepo = \"a/b\"\n"]).unwrap_err().to_string().contains("revision"));
        assert!(wrong_of(&[GOOD; 17]).unwrap().1.contains("at most 16"));
    }

    #[test]
    fn the_model_server_gets_names_with_revisions() {
        let other = GOOD.replace("owner/adapter", "/models/two").replace("\"0123", "\"f123");
        let adapters = &list(&[GOOD, &format!("{other}base = \"o/b\"\n")]).unwrap();
        assert_eq!(
            variable(adapters),
            "medical-ie@0123abcd=owner/adapter@0123abcd0123abcd0123abcd0123abcd0123abcd medical-ie@f123abcd=/models/two"
        );
        assert_eq!(
            (bases(adapters).as_str(), default_route(adapters).as_deref()),
            ("o/b", Some("medical-ie@0123abcd=100"))
        );
        assert_eq!(default_route(&[]), None);
    }
}
