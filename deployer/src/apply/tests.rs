//! Applying against a fake world that fails at every call in turn. What must hold whatever fails: the lock is given
//! back or it is said, nothing counts as done that is not, and a box that was started in vain is stopped or named.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::PathBuf,
};

use super::{Applied, StopOnFailure, apply};
use crate::{
    approval::ApprovedPlan,
    cloud::{
        Agent, Checks, Cloud, CloudError, CommandId, Host, Identity, Ingress, Instance, Invocation, Progress, State,
        Trouble,
    },
    config::{Settings, Written, parse, resolve},
    exit::Exit,
    failure::Failure,
    interrupt,
    plan::Work,
    report::Report,
    script::{ComposeEnv, Deploy, ImageDigest, ImageWanted, MARKER, Script},
    secret::Secret,
    site::Site,
};

/// A box, a host and an account in memory.
#[derive(Default)]
struct World {
    running: Cell<bool>,
    parameters: RefCell<BTreeMap<String, String>>,
    /// The outcome of every script that changes something.
    outcome: RefCell<String>,
    scripts: RefCell<Vec<String>>,
    calls: RefCell<Vec<&'static str>>,
    /// The number of the call that fails, and how; `None`: none.
    fails: Option<(usize, Trouble)>,
}

impl World {
    fn call(&self, name: &'static str) -> Result<(), CloudError> {
        self.calls.borrow_mut().push(name);
        match self.fails {
            Some((n, trouble)) if n == self.calls.borrow().len() => {
                Err(CloudError { trouble, operation: name, code: "Injected".to_owned(), message: String::new() })
            }
            _ => Ok(()),
        }
    }

    fn lock(&self) -> bool {
        self.parameters.borrow().contains_key("/extraction-gateway/lock")
    }
}

impl Cloud for &World {
    async fn identity(&self) -> Result<Identity, CloudError> {
        self.call("identity").map(|()| Identity { account: String::new(), arn: String::new() })
    }

    async fn instance(&self, id: &str) -> Result<Instance, CloudError> {
        self.call("instance")?;
        Ok(Instance {
            id: id.to_owned(),
            state: if self.running.get() { State::Running } else { State::Stopped },
            reason: None,
            kind: "g6.2xlarge".to_owned(),
            zone: "us-east-1a".to_owned(),
            address: self.running.get().then(|| "203.0.113.7".to_owned()),
            elastic: false,
            launched: None,
            profile: None,
            groups: Vec::new(),
        })
    }

    async fn checks(&self, _: &str) -> Result<Checks, CloudError> {
        self.call("checks").map(|()| Checks::Passed)
    }

    async fn start(&self, _: &str) -> Result<(), CloudError> {
        self.call("start").map(|()| self.running.set(true))
    }

    async fn stop(&self, _: &str) -> Result<(), CloudError> {
        self.call("stop").map(|()| self.running.set(false))
    }

    async fn agent(&self, _: &str) -> Result<Agent, CloudError> {
        self.call("agent").map(|()| Agent::Online)
    }

    async fn ingress(&self, _: &[String]) -> Result<Vec<Ingress>, CloudError> {
        self.call("ingress").map(|()| Vec::new())
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.call("parameter").map(|()| self.parameters.borrow().get(name).cloned())
    }

    async fn put_parameter(&self, name: &str, value: &str) -> Result<(), CloudError> {
        self.call("put_parameter")?;
        self.parameters.borrow_mut().insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    async fn put_new_parameter(&self, name: &str, value: &str) -> Result<bool, CloudError> {
        self.call("put_new_parameter")?;
        let free = !self.parameters.borrow().contains_key(name);
        if free {
            self.parameters.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        Ok(free)
    }

    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError> {
        self.call("delete_parameter")?;
        self.parameters.borrow_mut().remove(name);
        Ok(())
    }

    async fn has_secret(&self, _: &str) -> Result<bool, CloudError> {
        self.call("has_secret").map(|()| true)
    }

    async fn create_secret(&self, _: &str, _: &Secret) -> Result<(), CloudError> {
        self.call("create_secret")
    }

    async fn replace_secret(&self, _: &str, _: &Secret) -> Result<(), CloudError> {
        self.call("replace_secret")
    }
}

impl Host for &World {
    async fn send(&self, script: &Script, _: &str, _: u32) -> Result<CommandId, CloudError> {
        self.call("send")?;
        self.scripts.borrow_mut().push(script.text());
        Ok(CommandId(self.scripts.borrow().len().to_string()))
    }

    async fn look(&self, id: &CommandId) -> Result<Invocation, CloudError> {
        self.call("look")?;
        let number: usize = id.0.parse().unwrap();
        let looks = self.scripts.borrow()[number - 1].contains("readonly ACTION='status'");
        let outcome = if looks { "done".to_owned() } else { self.outcome.borrow().clone() };
        let facts = r#"{"containers":[{"service":"gateway","state":"running","health":"healthy"},{"service":"vllm","state":"running","health":"healthy"}],"gateway":{"ready":true}}"#;
        Ok(Invocation {
            progress: Progress::Ended(0),
            stdout: format!(
                "{MARKER}{{\"outcome\":\"{outcome}\",\"action\":\"x\",\"message\":\"said.\",\"release\":2,\"facts\":{facts}}}\n"
            ),
            stderr: String::new(),
        })
    }

    async fn cancel(&self, _: &CommandId) -> Result<(), CloudError> {
        self.call("cancel")
    }
}

const CONFIG: &str =
    "region = \"us-east-1\"\n[box]\ninstance_id = \"i-0123456789abcdef0\"\n[images]\nregistry = \"r.example\"\n";

async fn settings() -> Settings {
    let world = World::default();
    let written = Written { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
    resolve(&written, &&world, "ada@laptop".to_owned()).await.unwrap()
}

fn work(name: &str) -> Work {
    let image =
        |name: &str| ImageWanted::Digest(ImageDigest::parse(&format!("r.example/{name}@sha256:{:064x}", 1)).unwrap());
    match name {
        "up" => Work::Up(Box::new(Deploy {
            gateway: image("gateway"),
            vllm: image("vllm"),
            files: Vec::new(),
            env: ComposeEnv::default(),
            commit: "c".to_owned(),
            config_hash: "h".to_owned(),
            restart_vllm: false,
        })),
        "rollback" => Work::Rollback { to: None },
        "restart" => Work::Restart { service: None },
        "down" => Work::Down { drain: true },
        "down now" => Work::Down { drain: false },
        _ => Work::Unlock,
    }
}

async fn run(world: &World, name: &str) -> Result<Applied, Failure> {
    let report = Report::new(true);
    let (_end, interrupt) = interrupt::channel();
    let written = Written { file: parse(CONFIG, "x").unwrap(), path: PathBuf::new() };
    let site = Site { written, settings: settings().await, ports: world, report: &report, interrupt: &interrupt };
    apply(&site, &ApprovedPlan::in_a_test(work(name)), StopOnFailure::Yes).await
}

fn world(name: &str, outcome: &str) -> World {
    let world = World::default();
    world.running.set(name != "up");
    outcome.clone_into(&mut world.outcome.borrow_mut());
    world
}

const ALL: [&str; 5] = ["up", "rollback", "restart", "down", "down now"];

#[tokio::test(start_paused = true)]
async fn every_outcome_has_its_exit_code_and_gives_the_lock_back() {
    for name in ALL {
        for (outcome, exit) in [
            ("done", None),
            ("nothing_to_do", None),
            ("failed_unchanged", Some(Exit::FailedUnchanged)),
            ("rolled_back", Some(Exit::RolledBack)),
            ("needs_a_person", Some(Exit::NeedsAPerson)),
            ("locked", Some(Exit::Locked)),
        ] {
            let world = world(name, outcome);
            let found = run(&world, name).await.err().map(|failure| failure.exit);
            // `down --now` stops the box whatever the host says, unless somebody is at work there.
            let exit = if name == "down now" && exit != Some(Exit::Locked) { None } else { exit };
            assert_eq!(found, exit, "{name}: {outcome}");
            assert!(!world.lock(), "{name}: {outcome}");
            if name == "up" && !matches!(exit, None | Some(Exit::RolledBack)) {
                assert!(!world.running.get(), "started in vain: {outcome}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_the_lock_is_given_back_and_nothing_is_done_that_is_not() {
    for name in ALL {
        let well = world(name, "done");
        run(&well, name).await.unwrap();
        let calls = well.calls.borrow().clone();
        assert!(calls.len() > 8, "{calls:?}");
        for trouble in [Trouble::Denied, Trouble::Other, Trouble::Network, Trouble::Throttled, Trouble::Credentials] {
            for (index, call) in calls.iter().enumerate() {
                let world = World { fails: Some((index + 1, trouble)), ..world(name, "done") };
                let result = run(&world, name).await;
                let at = format!("{name}: call {} ({call}) fails with {trouble:?}", index + 1);
                // The last two calls give the lock back: what cannot be given back stays, and is said.
                assert!(!world.lock() || index + 2 >= calls.len(), "{at}: the lock is left");
                match result {
                    Ok(_) if name.starts_with("down") => assert!(!world.running.get(), "{at}: not stopped"),
                    Ok(_) => {
                        assert!(world.running.get() && !world.scripts.borrow().is_empty(), "{at}: nothing was done");
                    }
                    Err(failure) => {
                        assert_ne!(failure.exit, Exit::Done, "{at}");
                        assert!(!failure.what.is_empty() && !failure.next.is_empty(), "{at}");
                        let stopped = !world.running.get() || failure.exit == Exit::NeedsAPerson;
                        assert!(name != "up" || stopped, "{at}: the box runs on unnamed: {failure:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_somebody_else_stops_everything() {
    for name in ALL {
        let world = world(name, "done");
        let theirs = r#"{"operator":"bob@desk","action":"up","since":1,"run":"1"}"#;
        world.parameters.borrow_mut().insert("/extraction-gateway/lock".to_owned(), theirs.to_owned());
        let failure = run(&world, name).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Locked);
        assert!(failure.what.contains("bob@desk (up, for "), "{failure}");
        assert!(world.scripts.borrow().is_empty() && world.lock(), "{name}");
    }
}
