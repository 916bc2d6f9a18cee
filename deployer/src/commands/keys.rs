//! `keys`: who may call the service, changed without an `up`: in the key file, which every `up` carries, and on the
//! host, where the gateway reads it again. Only digests travel.

use serde_json::{Value, json};

use crate::{
    apply::{StopOnFailure, apply, boot, command, command::LOOK_SECONDS},
    approval::approve,
    cloud::{Agent, State},
    config::{
        Carried,
        keys::{self, KnownKey},
    },
    failure::Failure,
    plan::{Operation, Plan},
    script::{Action, Expect, KeyChange, Keys, facts::KeysFound},
    secret::Secret,
    site::{DeployContext, Ports},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make a key and print it, this once
    Add {
        /// Who it is for
        #[arg(value_parser = super::init::name)]
        name: String,
        /// Take it from a header alone; without this it may stand in the path, as the Vercel route needs it
        #[arg(long)]
        header_only: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Refuse a key from now on
    Revoke {
        /// Whose
        #[arg(value_parser = super::init::name)]
        name: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Show the names, and where the file and the host differ
    List,
}

/// The keys of the file and those of the host.
struct KeyComparison {
    path: std::path::PathBuf,
    /// The file's text.
    text: String,
    /// `Err`: why the host was not asked.
    host: Result<(Option<u32>, KeysFound), String>,
}

pub(super) async fn run<P: Ports>(site: &DeployContext<'_, P>, args: &Args) -> Result<(), Failure> {
    let both = look(site).await?;
    match &args.what {
        What::List => {
            list(site, &both);
            Ok(())
        }
        What::Add { name, header_only, yes } => add(site, &both, name, !header_only, *yes).await,
        What::Revoke { name, yes } => revoke(site, &both, name, *yes).await,
    }
}

async fn look<P: Ports>(site: &DeployContext<'_, P>) -> Result<KeyComparison, Failure> {
    let path = site.written.folder().join(&site.settings.gateway.keys_file);
    let text = keys::read(&path)?;
    let instance = boot::look(site).await?;
    let host = if instance.state != State::Running {
        Err(format!("the box is {}", instance.state))
    } else if site.ports.agent(&instance.id).await? != Agent::Online {
        return Err(Failure::unchanged(
            "the box runs, but its SSM agent does not answer; nothing was changed",
            "Wait a minute after a start; otherwise deployer doctor looks why.",
        ));
    } else {
        let report = command::run(site, "keys", &Action::Keys(Keys::List), LOOK_SECONDS).await?;
        match (report.keys(), report.release) {
            (Some(found), release) => Ok((release, found)),
            (None, None) => Err("there is no release on the host".to_owned()),
            (None, Some(_)) => {
                return Err(super::refused_look(report, "Run deployer doctor."));
            }
        }
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
        // What was cut off is there until it is whole.
        let cut_off = self.host.as_ref().is_ok_and(|(_, found)| found.changing == name);
        (named(&keys::known(&self.text)), cut_off || named(&self.on_host()))
    }

    /// What the host is asked for, and what it means; `line`: of a key that comes.
    fn work<P>(&self, site: &DeployContext<'_, P>, name: &str, line: Option<&str>) -> (Operation, Vec<String>) {
        let what = if line.is_some() { "add" } else { "revoke" };
        let file = self.path.display();
        let mut lines = vec![format!("Plan for {}:", site.settings.name)];
        let (change, expect) = match &self.host {
            Err(why) => {
                lines.push(format!("  keys     {what} {name} in {file}"));
                lines.push(format!("  host     {why}: the next deployer up carries the file"));
                (None, Expect::Anything)
            }
            Ok((release, found)) => {
                lines.push(format!("  keys     {what} {name} on the host, in every release there, and in {file}"));
                lines.push(
                    "  outage   none: the gateway reads its keys again; one that does not say so is started again, in \
                     seconds"
                        .to_owned(),
                );
                let change = KeyChange {
                    name: name.to_owned(),
                    line: line.map(str::to_owned),
                    before: found.sha256.clone(),
                    config_hash: self.hash(site, found, name, line).unwrap_or_default(),
                };
                (Some(change), Expect::of(*release))
            }
        };
        (Operation::Keys { change, expect }, lines)
    }

    /// The configuration hash after the change, so that the next plan finds nothing to do; `None` where the host's
    /// configuration is another one than this folder's already.
    fn hash<P>(
        &self,
        site: &DeployContext<'_, P>,
        found: &KeysFound,
        name: &str,
        line: Option<&str>,
    ) -> Option<String> {
        let of = |text: String| Carried::gather_with(&site.written, &site.settings, text.into_bytes()).ok();
        let now = of(self.text.clone())?.hash.to_string();
        (now == found.config_hash).then_some(())?;
        Some(of(keys::changed(&self.text, name, line))?.hash.to_string())
    }

    /// Approves, changes the host, then the file. `key`: the one that `line` is of.
    async fn apply<P: Ports>(
        &self,
        site: &DeployContext<'_, P>,
        name: &str,
        line: Option<&str>,
        key: Option<&Secret>,
        yes: bool,
    ) -> Result<(), Failure> {
        keys::check_writable(&self.path)?;
        let (work, lines) = self.work(site, name, line);
        let approved = approve(Plan { work, lines }, yes, site.report, site.interrupt).await?;
        let host = apply(site, &approved, StopOnFailure::No).await?.report.map(|report| report.message);
        if let Some(message) = &host {
            site.report.say(message);
        }
        site.report.result(&json!({"name": name, "keys_file": self.path, "host": host}));
        let written = keys::write(&self.path, &keys::changed(&self.text, name, line));
        // What opens the service is shown whatever became of the file; what opens nothing is not.
        if let (Some(key), true) = (key, host.is_some() || written.is_ok()) {
            show(site, key);
        }
        if let Err(failure) = written {
            return Err(if host.is_some() { self.only_host(name, line, &failure) } else { failure });
        }
        let too = if host.is_some() { ", too" } else { "" };
        site.report
            .say(&format!("{} is changed{too}. Commit it: every up carries it to the host.", self.path.display()));
        Ok(())
    }

    /// The host has the change, and the file could not be written.
    fn only_host(&self, name: &str, line: Option<&str>, failure: &Failure) -> Failure {
        let file = self.path.display();
        let mend = match line {
            // Of its digest, which is no secret.
            Some(line) => format!("Put this line into {file}, or the next up takes the key away: {line}"),
            None => format!("Take the line of {name} out of {file}, or the next up brings the key back."),
        };
        Failure::person(format!("the host has the change, and the file has not: {}", failure.what), mend)
    }
}

/// Shows a new key, this once.
fn show<P>(site: &DeployContext<'_, P>, key: &Secret) {
    site.report.result(&json!({"key": key.expose()}));
    site.report.data(&format!("API_KEY={}", key.expose()));
    site.report.warn("that key is shown this once, and kept nowhere.");
}

async fn add<P: Ports>(
    site: &DeployContext<'_, P>,
    both: &KeyComparison,
    name: &str,
    in_path: bool,
    yes: bool,
) -> Result<(), Failure> {
    let next = "deployer keys revoke takes it away first; deployer keys list shows all.";
    match both.has(name) {
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
    site.report.result(&json!({"in_path": in_path}));
    both.apply(site, name, Some(&keys::line_of(name, &key, in_path)), Some(&key), yes).await?;
    site.report.next(if in_path {
        "Give it to its client: in a header, or as /t/KEY behind the address."
    } else {
        "Give it to its client, which sends it in a header."
    });
    Ok(())
}

async fn revoke<P: Ports>(
    site: &DeployContext<'_, P>,
    both: &KeyComparison,
    name: &str,
    yes: bool,
) -> Result<(), Failure> {
    let (in_file, on_host) = both.has(name);
    if !in_file && !on_host {
        return Err(Failure::unchanged(
            format!("there is no key for {name}; nothing was changed"),
            "deployer keys list shows all.",
        ));
    }
    // The gateway takes no empty file, and an empty one would hold up the next up.
    if keys::known(&both.text).iter().all(|key| key.name == name) {
        return Err(Failure::unchanged(
            format!("{name} is the last key of {}; nothing was changed", both.path.display()),
            "Add another key first: deployer keys add NAME. deployer down stops the service.",
        ));
    }
    both.apply(site, name, None, None, yes).await?;
    site.report.next("deployer keys list shows who is left.");
    Ok(())
}

/// From `NAME FINGERPRINT WORD...`.
pub(super) fn known(line: &str) -> Option<KnownKey> {
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    Some(KnownKey { name: words.next()?, fingerprint: words.next()?, words: words.collect() })
}

fn list<P>(site: &DeployContext<'_, P>, both: &KeyComparison) {
    let (file, host) = (keys::known(&both.text), both.on_host());
    let asked = both.host.is_ok();
    let mut shown: Vec<Value> = Vec::new();
    let mut differ = false;
    let every = file.iter().chain(host.iter().filter(|key| !file.iter().any(|known| known.name == key.name)));
    for key in every {
        let in_file = file.iter().any(|known| known.name == key.name);
        let there = host.iter().find(|known| known.name == key.name);
        let place = match (in_file, there) {
            (true, _) if !asked => "file",
            (true, Some(there)) if there == key => "file and host",
            (true, Some(_)) => "another one in the file than on the host: the next up takes the file's",
            (true, None) => "file: the next up carries it to the host",
            (false, _) => "host: the next up takes it away",
        };
        let same = there == Some(key) && in_file;
        differ |= asked && !same;
        let words = if key.words.is_empty() { "header".to_owned() } else { key.words.join(" ") };
        site.report.data(&format!("{:<24} {words:<16} {place}", key.name));
        shown.push(json!({"name": key.name, "words": key.words, "in_file": in_file,
            "on_host": asked.then_some(there.is_some()), "same": asked.then_some(same)}));
    }
    let cut_off = both.host.as_ref().ok().map(|(_, found)| found.changing.as_str()).filter(|name| !name.is_empty());
    site.report.result(&json!({"keys": shown, "cut_off": cut_off}));
    if let Err(why) = &both.host {
        site.report.say(&format!("Only the file was looked at: {why}."));
    }
    if let Some(name) = cut_off {
        site.report.warn(&format!(
            "a change of the key {name} on the host was cut off: the gateway, or a release before, may have it as it was. \
             deployer keys revoke {name} makes it whole; a key that was being added was never shown."
        ));
    }
    site.report.next(if differ {
        "deployer up brings the host to what the file says; deployer plan shows it."
    } else {
        "deployer keys add NAME and deployer keys revoke NAME change them."
    });
}
