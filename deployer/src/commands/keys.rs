//! `keys`: adds, revokes and lists API keys without an `up`. A change goes to the key file, which every `up` carries to
//! the host, and to the host itself, where the gateway reloads its keys. Only digests go to the host.

use serde_json::{Value, json};

use crate::{
    apply::{StopOnFailure, apply, boot, command, command::READ_ONLY_TIMEOUT_SECONDS},
    approval::approve,
    cloud::InstanceState,
    config::{
        DeployPayload,
        keys::{self, KeyScope, KnownKey},
    },
    context::{DeployContext, Ports},
    failure::Failure,
    plan::{Operation, Plan},
    script::{Action, ExpectedRelease, KeyChange, Keys, facts::KeysFound},
    secret::Secret,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(clap::Subcommand)]
enum KeysCommand {
    /// Make a key and print it; it is shown only once
    Add {
        /// The name of the client that gets the key
        #[arg(value_parser = super::init::name)]
        name: String,
        /// Accept the key only in a header; without this flag also in the path, as the Vercel route needs it
        #[arg(long)]
        header_only: bool,
        /// What the key may do, with commas between (default: extract,metrics)
        #[arg(long, value_name = "SCOPE,...", value_enum, value_delimiter = ',')]
        scopes: Vec<KeyScope>,
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
    /// Revoke a key: the gateway refuses it from now on
    Revoke {
        /// The name of the client that has the key
        #[arg(value_parser = super::init::name)]
        name: String,
        /// Do not ask for approval
        #[arg(long, short)]
        yes: bool,
    },
    /// List the names of the keys, and the differences between the file and the host
    List,
}

/// The keys of the key file and the keys of the host.
struct KeyComparison {
    path: std::path::PathBuf,
    /// The text of the key file.
    text: String,
    /// The number of the release and its keys on the host; `Err` says why the host was not asked.
    host: Result<(Option<u32>, KeysFound), String>,
}

pub(super) async fn run<P: Ports>(context: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let comparison = compare(context).await?;
    match &args.command {
        KeysCommand::List => {
            list(context, &comparison);
            Ok(())
        }
        KeysCommand::Add { name, header_only, scopes, yes } => {
            add(context, &comparison, name, !header_only, scopes, *yes).await
        }
        KeysCommand::Revoke { name, yes } => revoke(context, &comparison, name, *yes).await,
    }
}

/// Reads the keys of the key file and, if the box runs, those of the host.
async fn compare<P: Ports>(context: &DeployContext<'_, P>) -> Result<KeyComparison, Failure> {
    let path = context.config_file.folder().join(&context.settings.gateway.keys_file);
    let text = keys::read(&path)?;
    let instance = boot::describe_instance(context).await?;
    let host = if instance.state == InstanceState::Running {
        super::agent_online(context, &instance.id, "nothing was changed").await?;
        let report = command::run(context, "keys", &Action::Keys(Keys::List), READ_ONLY_TIMEOUT_SECONDS).await?;
        match (report.keys(), report.release) {
            (Some(found), release) => Ok((release, found)),
            (None, None) => Err("there is no release on the host".to_owned()),
            (None, Some(_)) => {
                return Err(super::read_only_failure(report, "Run deployer doctor."));
            }
        }
    } else {
        Err(format!("the box is {}", instance.state))
    };
    Ok(KeyComparison { path, text, host })
}

impl KeyComparison {
    fn on_host(&self) -> Vec<KnownKey> {
        self.host
            .as_ref()
            .map(|(_, found)| found.lines.iter().filter_map(|line| known(line)).collect())
            .unwrap_or_default()
    }

    fn has(&self, name: &str) -> (bool, bool) {
        let named = |keys: &[KnownKey]| keys.iter().any(|key| key.name == name);
        // A key whose change was interrupted counts as present until the change is completed.
        let cut_off = self.host.as_ref().is_ok_and(|(_, found)| found.changing == name);
        (named(&keys::known(&self.text)), cut_off || named(&self.on_host()))
    }

    /// Returns the operation on the host and the lines of the plan. `line` is the new key's line; `None` revokes the
    /// key.
    fn operation<P>(&self, context: &DeployContext<'_, P>, name: &str, line: Option<&str>) -> (Operation, Vec<String>) {
        let what = if line.is_some() { "add" } else { "revoke" };
        let file = self.path.display();
        let mut lines = vec![format!("Plan for {}:", context.settings.name)];
        if let Some(key) = line.and_then(known) {
            lines.push(format!("  scopes   {}", key.scopes()));
        }
        let (change, expect) = match &self.host {
            Err(why) => {
                lines.push(format!("  keys     {what} {name} in {file}"));
                lines.push(format!("  host     {why}: the next deployer up copies the file"));
                (None, ExpectedRelease::Any)
            }
            Ok((release, found)) => {
                lines.push(format!("  keys     {what} {name} on the host, in every release there, and in {file}"));
                lines.push(
                    "  outage   none: the gateway reads its keys again; a gateway that does not confirm it is restarted, in \
                     seconds"
                        .to_owned(),
                );
                let change = KeyChange {
                    name: name.to_owned(),
                    line: line.map(str::to_owned),
                    before: found.sha256.clone(),
                    config_hash: self.hash(context, found, name, line).unwrap_or_default(),
                };
                (Some(change), ExpectedRelease::of(*release))
            }
        };
        (Operation::Keys { change, expect }, lines)
    }

    /// Returns the configuration hash after the change, so that the next plan has nothing to do; `None` if the host's
    /// configuration already differs from this folder's.
    fn hash<P>(
        &self,
        context: &DeployContext<'_, P>,
        found: &KeysFound,
        name: &str,
        line: Option<&str>,
    ) -> Option<String> {
        let of =
            |text: String| DeployPayload::gather_with(&context.config_file, &context.settings, text.into_bytes()).ok();
        let now = of(self.text.clone())?.hash.to_string();
        (now == found.config_hash).then_some(())?;
        Some(of(keys::changed(&self.text, name, line))?.hash.to_string())
    }

    /// Asks for approval, then changes the host, then the key file. `key` is the new key that `line` describes.
    async fn apply<P: Ports>(
        &self,
        context: &DeployContext<'_, P>,
        name: &str,
        line: Option<&str>,
        key: Option<&Secret>,
        yes: bool,
    ) -> Result<(), Failure> {
        keys::check_writable(&self.path)?;
        let (operation, lines) = self.operation(context, name, line);
        let approved = approve(Plan { operation, lines }, yes, context.console, context.interrupt).await?;
        let host = apply(context, &approved, StopOnFailure::No).await?.report.map(|report| report.message);
        if let Some(message) = &host {
            context.console.say(message);
        }
        context.console.result(&json!({"name": name, "keys_file": self.path, "host": host}));
        let written = keys::write(&self.path, &keys::changed(&self.text, name, line));
        // A key that is valid on the host or in the file is shown, even if the other could not be changed; a key that
        // is valid nowhere is not.
        if let (Some(key), true) = (key, host.is_some() || written.is_ok()) {
            show(context, key);
        }
        if let Err(failure) = written {
            return Err(if host.is_some() { self.only_host(name, line, &failure) } else { failure });
        }
        let too = if host.is_some() { ", too" } else { "" };
        context
            .console
            .say(&format!("{} is changed{too}. Commit it: every up carries it to the host.", self.path.display()));
        Ok(())
    }

    /// Returns the failure for a change that was made on the host, but could not be written to the key file.
    fn only_host(&self, name: &str, line: Option<&str>, failure: &Failure) -> Failure {
        let file = self.path.display();
        let next = match line {
            // The line has the digest of the key, which is not secret.
            Some(line) => format!("Put this line into {file}, or the next up revokes the key: {line}"),
            None => format!("Remove the line of {name} from {file}, or the next up adds the key again."),
        };
        Failure::person(format!("the key was changed on the host but not in the file: {}", failure.what), next)
    }
}

/// Prints a new key, which is shown only once.
fn show<P>(context: &DeployContext<'_, P>, key: &Secret) {
    context.console.result(&json!({"key": key.expose()}));
    context.console.data(&format!("API_KEY={}", key.expose()));
    context.console.warn("the key is shown only now and is not stored.");
}

async fn add<P: Ports>(
    context: &DeployContext<'_, P>,
    comparison: &KeyComparison,
    name: &str,
    in_path: bool,
    scopes: &[KeyScope],
    yes: bool,
) -> Result<(), Failure> {
    if in_path && scopes.contains(&KeyScope::Admin) {
        return Err(Failure::usage(
            "a key in the path appears in the logs of proxies on the way, so it cannot have the scope admin; nothing was \
             changed",
            "Add --header-only, or omit the scope.",
        ));
    }
    let next = "deployer keys revoke removes it first; deployer keys list shows all.";
    match comparison.has(name) {
        (false, false) => {}
        (true, _) => {
            return Err(Failure::unchanged(format!("there is a key for {name} already; nothing was changed"), next));
        }
        (false, true) => {
            let what = format!("the host has a key for {name}, which the file does not; nothing was changed");
            return Err(Failure::unchanged(what, next));
        }
    }
    let key = keys::new_key()?;
    let line = keys::line_of(name, &key, in_path, scopes);
    let named = keys::known(&line);
    let scopes: Vec<&str> = named.iter().flat_map(|key| key.scopes().split(',')).collect();
    context.console.result(&json!({"in_path": in_path, "scopes": scopes}));
    comparison.apply(context, name, Some(&line), Some(&key), yes).await?;
    context.console.next(if in_path {
        "Give it to its client: in a header, or as /t/KEY after the address."
    } else {
        "Give it to its client, which sends it in a header."
    });
    Ok(())
}

async fn revoke<P: Ports>(
    context: &DeployContext<'_, P>,
    comparison: &KeyComparison,
    name: &str,
    yes: bool,
) -> Result<(), Failure> {
    let (in_file, on_host) = comparison.has(name);
    if !in_file && !on_host {
        return Err(Failure::unchanged(
            format!("there is no key for {name}; nothing was changed"),
            "deployer keys list shows all.",
        ));
    }
    // The gateway does not start with an empty key file, so an empty file would make the next up fail.
    if keys::known(&comparison.text).iter().all(|key| key.name == name) {
        return Err(Failure::unchanged(
            format!("{name} is the last key of {}; nothing was changed", comparison.path.display()),
            "Add another key first: deployer keys add NAME. deployer down stops the service.",
        ));
    }
    comparison.apply(context, name, None, None, yes).await?;
    context.console.next("deployer keys list shows the remaining keys.");
    Ok(())
}

/// Parses a line of the host's answer: `NAME FINGERPRINT WORD...`.
pub(super) fn known(line: &str) -> Option<KnownKey> {
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    Some(KnownKey { name: words.next()?, fingerprint: words.next()?, words: words.collect() })
}

fn list<P>(context: &DeployContext<'_, P>, comparison: &KeyComparison) {
    let (file, host) = (keys::known(&comparison.text), comparison.on_host());
    let host_asked = comparison.host.is_ok();
    let mut shown: Vec<Value> = Vec::new();
    let mut differ = false;
    let every = file.iter().chain(host.iter().filter(|key| !file.iter().any(|known| known.name == key.name)));
    for key in every {
        let in_file = file.iter().any(|known| known.name == key.name);
        let host_key = host.iter().find(|known| known.name == key.name);
        let location = match (in_file, host_key) {
            (true, _) if !host_asked => "file",
            (true, Some(host_key)) if host_key == key => "file and host",
            (true, Some(_)) => "the file and the host have different keys: the next up uses the file's",
            (true, None) => "file: the next up copies it to the host",
            (false, _) => "host: the next up revokes it",
        };
        let same = host_key == Some(key) && in_file;
        differ |= host_asked && !same;
        let limits = Some(key.limits()).filter(|limits| !limits.is_empty()).unwrap_or_else(|| "header".to_owned());
        let scopes = key.scopes();
        context.console.data(&format!("{:<24} {limits:<16} {scopes:<16} {location}", key.name));
        shown.push(json!({"name": key.name, "words": key.words, "scopes": scopes.split(',').collect::<Vec<_>>(), "in_file": in_file,
            "on_host": host_asked.then_some(host_key.is_some()), "same": host_asked.then_some(same)}));
    }
    let cut_off =
        comparison.host.as_ref().ok().map(|(_, found)| found.changing.as_str()).filter(|name| !name.is_empty());
    context.console.result(&json!({"keys": shown, "cut_off": cut_off}));
    if let Err(why) = &comparison.host {
        context.console.say(&format!("Only the file was read: {why}."));
    }
    if let Some(name) = cut_off {
        context.console.warn(&format!(
            "a change of the key {name} on the host was interrupted: the gateway, or an earlier release, may still have the \
             old state. deployer keys revoke {name} completes it; a key that was being added was never shown."
        ));
    }
    context.console.next(if differ {
        "deployer up applies the file to the host; deployer plan shows the changes."
    } else {
        "deployer keys add NAME and deployer keys revoke NAME change them."
    });
}
