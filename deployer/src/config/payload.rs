//! The files and settings that a deploy carries to the host, and the hash that shows whether they changed.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use sha2::{Digest, Sha256};

use super::{
    BoxRole, ConfigFile, Settings, adapters, boxes,
    file::{Gateway, Model},
    gateway_file,
    keys::KeyScope,
    names::{GATEWAY_NAMES, ROUTE},
    settings::Revisions,
};
use crate::{
    failure::Failure,
    script::{ComposeEnv, HostFile},
};

/// The second compose file, which removes the reservation of the GPU. The host uses it if the release has it, so that a
/// rollback restores the earlier release with or without a GPU, as it ran.
pub(super) const NO_GPU: &str = "config/compose.no-gpu.yml";

/// What a deploy carries to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployPayload {
    /// The files: `docker-compose.yml`, `config/`, `keys.txt`.
    pub files: Vec<HostFile>,
    /// The environment of the compose file.
    pub env: ComposeEnv,
    /// The hash of the files and the environment, in parts.
    pub hash: ConfigHash,
}

/// A hash of the files and settings, with one part for each service that a change restarts. The host stores it as one
/// opaque word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigHash {
    /// The hash of docker-compose.yml and `config/compose.no-gpu.yml`. Docker Compose decides which services a change
    /// of them restarts.
    pub compose: String,
    /// The hash of the model server's settings.
    pub vllm: String,
    /// The hash of the gateway's settings and files.
    pub gateway: String,
}

impl ConfigHash {
    /// Parses what [`fmt::Display`] wrote; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let mut part = |prefix: &str| parts.next()?.strip_prefix(prefix).map(str::to_owned);
        Some(Self { compose: part("c.")?, vllm: part("v.")?, gateway: part("g.")? })
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "c.{}-v.{}-g.{}", self.compose, self.vllm, self.gateway)
    }
}

impl DeployPayload {
    /// Reads the files of the configuration's folder and its parent.
    pub fn gather(config_file: &ConfigFile, settings: &Settings) -> Result<Self, Failure> {
        check_revisions(settings)?;
        let path = config_file.folder().join(&settings.gateway.keys_file);
        let keys = match settings.role {
            BoxRole::Gateway { .. } => read(&path, "Make a first API key with deployer init.")?,
            BoxRole::Model { .. } => boxes::no_keys(),
        };
        Self::gather_with(config_file, settings, keys)
    }

    /// Reads the files of the configuration's folder and its parent, but takes the content of the key file from `keys`.
    pub fn gather_with(config_file: &ConfigFile, settings: &Settings, keys: Vec<u8>) -> Result<Self, Failure> {
        check_revisions(settings)?;
        let root = config_file.root();
        let mut compose =
            vec![("docker-compose.yml", read(&root.join("docker-compose.yml"), "Run this in the repository.")?)];
        if !settings.gpu {
            compose.push((NO_GPU, read(&root.join(NO_GPU), "Run this in the repository.")?));
        }
        let own = read(&root.join("config/gateway.toml"), "Run this in the repository.")?;
        let gateway_file = gateway_file::of(own, &settings.model.adapters)?;
        let mut gateway_files = vec![("config/gateway.toml", gateway_file.content)];
        if settings.gateway.profile == "tls" {
            gateway_files
                .push(("config/Caddyfile", read(&root.join("config/Caddyfile"), "Run this in the repository.")?));
        }
        let path = config_file.folder().join(&settings.gateway.keys_file);
        gateway_files.push(("keys.txt", checked_keys(keys, &path)?));
        // Docker Compose restarts nothing but the gateway, or the port, for these.
        for name in boxes::files(&settings.role) {
            gateway_files.push((*name, read(&root.join(name), "Run this in the repository.")?));
        }
        let vllm = vllm_env(&settings.model, &settings.revisions);
        let mut gateway = gateway_env(&settings.gateway);
        gateway.extend(gateway_file.route.map(|route| (ROUTE.to_owned(), route)));
        gateway.extend(boxes::variables(&settings.role, settings.model.max_num_seqs));
        let hash = ConfigHash {
            compose: hash(&compose.iter().map(|(_, content)| content.as_slice()).collect::<Vec<_>>()),
            vllm: hash(&[format!("{vllm:?}").as_bytes()]),
            gateway: hash(
                &gateway_files
                    .iter()
                    .map(|(_, content)| content.as_slice())
                    .chain([format!("{gateway:?}").as_bytes()])
                    .collect::<Vec<_>>(),
            ),
        };
        let env = ComposeEnv::new(vllm.into_iter().chain(gateway).collect()).map_err(|error| carry(&error))?;
        let files = compose.into_iter().chain(gateway_files).map(|(name, content)| HostFile::new(name, 0o644, content));
        let files = files.collect::<Result<_, _>>().map_err(|error| carry(&error))?;
        Ok(Self { files, env, hash })
    }
}

/// Refuses a model without a full commit. The model server does not start without both commits, because the model that
/// serves must be the one that was evaluated and not the newest one.
fn check_revisions(settings: &Settings) -> Result<(), Failure> {
    let adapter = settings.model.adapters.is_empty();
    check_commits(&settings.revisions, adapter)
}

/// `adapter`: whether `model.adapter` is served. The commits of `model.adapters` were checked when they were read.
fn check_commits(revisions: &Revisions, adapter: bool) -> Result<(), Failure> {
    for (key, model, commit) in [
        ("model.base_revision", &revisions.base, &revisions.base_revision),
        ("model.adapter_revision", &revisions.adapter, &revisions.adapter_revision),
    ]
    .into_iter()
    .take(if adapter { 2 } else { 1 })
    {
        // A folder on the host has no commit.
        if model.starts_with('/') {
            continue;
        }
        if commit.len() != 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Failure::usage(
                format!("{key} is not a full commit of {model} (40 hexadecimal digits)"),
                format!(
                    "Take it from https://huggingface.co/{model}/commits/main and set it: {key} in config/deployment.toml, or deployer init."
                ),
            ));
        }
    }
    Ok(())
}

fn read(path: &Path, next: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display()), next))
}

/// Refuses a key file that contains a key instead of its digest, which must not leave this machine, or that the gateway
/// would refuse at its start (`gateway/src/access/file.rs`), which would show only after the switch.
fn checked_keys(content: Vec<u8>, path: &Path) -> Result<Vec<u8>, Failure> {
    let invalid_line = |line: usize| {
        Failure::usage(
            format!(
                "{}: line {line} does not have the form `name sha256-hex`, optionally followed by scopes=, rate=, at_once=, budget=, \
                 token_budget=, path and metrics",
                path.display()
            ),
            "gateway hash-key makes such a line; the file must not contain the key itself.",
        )
    };
    let text = std::str::from_utf8(&content).map_err(|_| invalid_line(1))?;
    let (mut names, mut digests) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let (name, digest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let says_scopes = |word: &&str| *word == "metrics" || word.starts_with("scopes=");
        if !is_key_name(name)
            || !is_digest(digest)
            || words.clone().filter(says_scopes).count() > 1
            || !words.all(is_term)
        {
            return Err(invalid_line(number));
        }
        // The error does not quote the name, which may be a key.
        if names.contains(&name) {
            return Err(Failure::usage(
                format!("{}: line {number}: the name appears twice", path.display()),
                "Give each key a name of its own: the gateway does not start with such a file.",
            ));
        }
        let digest = digest.to_ascii_lowercase();
        if digests.contains(&digest) {
            return Err(Failure::usage(
                format!("{}: line {number} has the same key as an earlier line", path.display()),
                "Give each client a key of its own: the gateway does not start with such a file.",
            ));
        }
        names.push(name);
        digests.push(digest);
    }
    if names.is_empty() {
        return Err(Failure::usage(
            format!("{} names no key: no client could call, and the gateway does not start with it", path.display()),
            "Make a first API key with deployer init.",
        ));
    }
    Ok(content)
}

fn is_key_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn is_digest(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether a word may follow the digest. Only the gateway checks the exact form of a rate.
fn is_term(word: &str) -> bool {
    let number = |text: &str| text.bytes().next().is_some_and(|first| first.is_ascii_digit());
    match word.split_once('=') {
        None => matches!(word, "path" | "metrics"),
        Some(("scopes", names)) => {
            names.split(',').all(|name| KeyScope::ALL.into_iter().any(|scope| scope.name() == name))
        }
        Some(("budget" | "token_budget", value)) => number(value) && value.ends_with("/month"),
        Some((name, value)) => matches!(name, "rate" | "at_once") && number(value),
    }
}

fn carry(error: &crate::script::PayloadError) -> Failure {
    Failure::usage(error.to_string(), "Correct config/deployment.toml.")
}

fn hash(parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part.len().to_le_bytes());
        sha.update(part);
    }
    let mut digest = hex::encode(sha.finalize());
    digest.truncate(12);
    digest
}

fn vllm_env(model: &Model, revisions: &Revisions) -> BTreeMap<String, String> {
    let adapters = if model.adapters.is_empty() {
        [("VLLM_ADAPTER", revisions.adapter.clone()), ("VLLM_ADAPTER_REVISION", revisions.adapter_revision.clone())]
    } else {
        [
            ("VLLM_ADAPTERS", adapters::variable(&model.adapters)),
            ("VLLM_ADAPTER_BASES", adapters::bases(&model.adapters)),
        ]
    };
    [
        ("VLLM_BASE_MODEL", revisions.base.clone()),
        ("VLLM_BASE_REVISION", revisions.base_revision.clone()),
        ("VLLM_SERVED_NAME", model.served_name.clone()),
        ("VLLM_MAX_MODEL_LEN", model.max_model_len.to_string()),
        ("VLLM_MAX_NUM_SEQS", model.max_num_seqs.to_string()),
        ("VLLM_MAX_QUEUED_REQS", model.max_queued_reqs.to_string()),
        ("VLLM_GPU_MEMORY_UTILIZATION", model.gpu_memory_utilization.to_string()),
        ("VLLM_MAX_LORA_RANK", model.max_lora_rank.to_string()),
        ("VLLM_QUANTIZATION", model.quantization.clone()),
    ]
    .into_iter()
    .chain(adapters)
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn gateway_env(gateway: &Gateway) -> BTreeMap<String, String> {
    let values = [
        gateway.profile.clone(),
        gateway.bind.clone(),
        gateway.port.to_string(),
        "./keys.txt".to_owned(),
        gateway.cors_origins.join(","),
        gateway.domain.clone(),
    ];
    let settings = GATEWAY_NAMES.into_iter().map(str::to_owned).zip(values);
    settings.chain(gateway.env.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{GATEWAY_NAMES, Gateway, Model, Revisions, check_commits, checked_keys, gateway_env, vllm_env};

    fn revisions(base: &str, base_revision: &str, adapter: &str, adapter_revision: &str) -> Revisions {
        let text = str::to_owned;
        Revisions {
            base: text(base),
            base_revision: text(base_revision),
            adapter: text(adapter),
            adapter_revision: text(adapter_revision),
        }
    }

    #[test]
    fn a_model_on_hugging_face_needs_a_commit_and_a_folder_does_not() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for (base, base_revision, adapter, adapter_revision, invalid_line) in [
            ("a/b", commit, "c/d", commit, None),
            ("/models/b", "", "/models/d", "", None),
            ("a/b", commit, "/models/d", "", None),
            ("a/b", "", "/models/d", "", Some("model.base_revision")),
            ("/models/b", "", "c/d", "main", Some("model.adapter_revision")),
        ] {
            let found = check_commits(&revisions(base, base_revision, adapter, adapter_revision), true);
            match (found, invalid_line) {
                (Ok(()), None) => {}
                (Err(failure), Some(invalid_line)) => assert!(failure.what.contains(invalid_line), "{failure}"),
                (found, invalid_line) => panic!("{base} {adapter}: {found:?}, not {invalid_line:?}"),
            }
        }
    }

    #[test]
    fn the_adapter_needs_no_commit_where_several_take_its_place() {
        let revisions = revisions("/models/b", "", "c/d", "");
        assert!(check_commits(&revisions, false).is_ok() && check_commits(&revisions, true).is_err());
        let mut model = Model { adapters: Vec::new(), ..Model::default() };
        let one = vllm_env(&model, &revisions);
        assert!(one.contains_key("VLLM_ADAPTER") && !one.contains_key("VLLM_ADAPTERS"));
        model.adapters.push(crate::config::Adapter {
            name: "a".to_owned(),
            repo: "o/a".to_owned(),
            revision: "0123abcd".repeat(5),
            rank: None,
            base: None,
        });
        let several = vllm_env(&model, &revisions);
        assert!(
            several["VLLM_ADAPTERS"].starts_with("a@0123abcd=o/a@0123abcd") && !several.contains_key("VLLM_ADAPTER")
        );
    }

    /// The gateway has the same rules: `gateway/src/access/file.rs`.
    #[test]
    fn a_key_file_that_the_gateway_refuses_is_refused_here_too() {
        let (digest, other) = ("a".repeat(64), "b".repeat(64));
        for (text, invalid_line) in [
            (format!("# who\n\na {digest}\nb {other} path rate=10/s metrics\n"), None),
            (format!("a {digest}\nb {}\n", digest.to_uppercase()), Some("line 2 has the same key")),
            (String::new(), Some("names no key")),
            ("# none yet\n\n".to_owned(), Some("names no key")),
            (format!("a {digest}\n# a\n a {digest}\n"), Some("line 3: the name appears twice")),
            (format!("a {digest}\nhf_secret\n"), Some("line 2 does not have the form")),
            (format!("a/b {digest}\n"), Some("line 1 does not have the form")),
            (format!("a {digest} paht\n"), Some("line 1 does not have the form")),
            (format!("a {digest} rate=fast\n"), Some("line 1 does not have the form")),
            (format!("a {digest} scopes=extract,usage budget=5000/month token_budget=9/month at_once=4\n"), None),
            (format!("a {digest} scopes=extract,all\n"), Some("line 1 does not have the form")),
            (format!("a {digest} scopes=\n"), Some("line 1 does not have the form")),
            (format!("a {digest} metrics scopes=admin\n"), Some("line 1 does not have the form")),
            (format!("a {digest} budget=5000\n"), Some("line 1 does not have the form")),
        ] {
            match (checked_keys(text.clone().into_bytes(), Path::new("keys.txt")), invalid_line) {
                (Ok(same), None) => assert_eq!(same, text.into_bytes()),
                (Err(failure), Some(invalid_line)) => {
                    assert!(failure.what.contains(invalid_line) && !failure.what.contains("secret"), "{failure}");
                }
                (found, invalid_line) => panic!("{text}: {found:?}, not {invalid_line:?}"),
            }
        }
    }

    /// config/check.rs refuses all of these variables in `[gateway.env]`.
    #[test]
    fn every_variable_that_the_deployer_sets_is_reserved() {
        let vllm = vllm_env(&Model::default(), &revisions("", "", "", ""));
        assert!(vllm.len() > 10 && vllm.keys().all(|name| name.starts_with("VLLM_")), "{vllm:?}");
        let gateway = gateway_env(&Gateway::default());
        assert_eq!(gateway.len(), GATEWAY_NAMES.len());
    }
}
