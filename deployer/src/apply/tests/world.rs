//! Simulates a box, a host and an account in memory, with the failures that a test asks for.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use serde_json::{Value, json};

use crate::{
    cloud::{
        AgentState, Cloud, CloudError, CloudErrorKind, CommandId, CommandProgress, Host, Identity, Ingress, Instance,
        InstanceState, Invocation, StatusChecks,
    },
    interrupt::Interrupter,
    script::{MARKER, Script},
    secret::Secret,
};

/// A simulated box, host and account.
#[derive(Default)]
pub(super) struct SimulatedCloud {
    pub(super) running: Cell<bool>,
    pub(super) parameters: RefCell<BTreeMap<String, String>>,
    /// The outcome of every script that changes something; empty: the script was killed and leaves no report.
    pub(super) outcome: RefCell<String>,
    /// The outcome of `verify`.
    pub(super) verify: Cell<&'static str>,
    /// Facts of `status` that replace those of a host that serves.
    pub(super) odd: Value,
    /// The name and the text of each script that was sent.
    pub(super) scripts: RefCell<Vec<(String, String)>>,
    pub(super) calls: RefCell<Vec<&'static str>>,
    /// The number of the call that fails, and how; `None`: none.
    pub(super) fails: Option<(usize, CloudErrorKind)>,
    /// The failing call is carried out, and only its answer is lost.
    pub(super) heard: bool,
    /// These calls always fail with a network error.
    pub(super) away: &'static [&'static str],
    /// This call always fails in this way.
    pub(super) always: Option<(&'static str, CloudErrorKind)>,
    /// A command runs until it is cancelled, and then ends in this way.
    pub(super) ends: Option<CommandProgress>,
    /// Each call of this name also raises a Ctrl-C.
    pub(super) ctrl_c: Option<&'static str>,
    pub(super) interrupter: RefCell<Option<Interrupter>>,
    /// How often credentials were loaded again.
    pub(super) renewals: Cell<u32>,
    /// The credentials are a session that was made with a code.
    pub(super) second_factor: bool,
    /// The programs that the document names; `None`: the document runs any program.
    pub(super) programs: Option<Vec<String>>,
    /// The number of commands that change something, that the agent takes and never runs.
    pub(super) swallows: usize,
    /// Whether a swallowed command ends when it is cancelled.
    pub(super) cancels: bool,
    /// The ids of the commands that were cancelled.
    pub(super) cancelled: RefCell<Vec<String>>,
    /// A call that fails `refusals` times in a row, and how.
    pub(super) refuses: Option<(&'static str, CloudErrorKind)>,
    /// The refusals begin only after this call was made; empty: they begin at once.
    pub(super) refuses_after: &'static str,
    /// How many refusals are left.
    pub(super) refusals: Cell<u32>,
}

impl SimulatedCloud {
    fn call(&self, name: &'static str) -> Result<(), CloudError> {
        self.calls.borrow_mut().push(name);
        if let (Some(interrupter), true) = (&*self.interrupter.borrow(), self.ctrl_c == Some(name)) {
            interrupter.interrupt();
        }
        let fail =
            |kind| Err(CloudError { kind, operation: name, code: "Injected".to_owned(), message: String::new() });
        match self.fails {
            Some((n, kind)) if n == self.calls.borrow().len() => fail(kind),
            _ if self.away.contains(&name) => fail(CloudErrorKind::Network),
            _ if self.refuses.is_some_and(|(call, _)| call == name) && self.refusals.get() > 0 && self.is_after() => {
                self.refusals.set(self.refusals.get() - 1);
                fail(self.refuses.map_or(CloudErrorKind::Other, |(_, kind)| kind))
            }
            _ => match self.always {
                Some((call, kind)) if call == name => fail(kind),
                _ => Ok(()),
            },
        }
    }

    fn is_after(&self) -> bool {
        self.refuses_after.is_empty() || self.calls.borrow().contains(&self.refuses_after)
    }

    /// Makes a call that has an effect, even if its answer is lost.
    fn act(&self, name: &'static str, does: impl FnOnce()) -> Result<(), CloudError> {
        let answer = self.call(name);
        if answer.is_ok() || self.heard {
            does();
        }
        answer
    }

    pub(super) fn lock(&self) -> bool {
        self.parameters.borrow().contains_key("/extraction-gateway/lock")
    }

    /// How often a script of this action was sent.
    pub(super) fn sent(&self, action: &str) -> usize {
        let line = format!("readonly ACTION='{action}'\n");
        self.scripts.borrow().iter().filter(|(_, text)| text.contains(&line)).count()
    }

    fn is_read_only(&self, index: usize) -> bool {
        let scripts = self.scripts.borrow();
        ["status", "verify", "unlock", "progress"]
            .iter()
            .any(|action| scripts[index].1.contains(&format!("readonly ACTION='{action}'\n")))
    }

    fn outcome_of(&self, text: &str) -> String {
        if text.contains("readonly ACTION='status'\n") {
            "done".to_owned()
        } else if text.contains("readonly ACTION='verify'\n") {
            Some(self.verify.get()).filter(|outcome| !outcome.is_empty()).unwrap_or("done").to_owned()
        } else if text.contains("readonly ACTION='unlock'\n") && self.outcome.borrow().is_empty() {
            "done".to_owned()
        } else {
            self.outcome.borrow().clone()
        }
    }

    /// Returns the report of a host on which release 2 serves with the configuration `h`.
    fn report(&self, outcome: &str) -> String {
        let healthy = |service| json!({"service": service, "state": "running", "health": "healthy"});
        let mut facts = json!({"containers": [healthy("gateway"), healthy("vllm")], "config_hash": "h",
            // As in the real report: the gateway's output, as a string.
            "gateway": "{\"ready\": true}"});
        for (name, value) in self.odd.as_object().into_iter().flatten() {
            facts[name] = value.clone();
        }
        let scripts = self.scripts.borrow();
        if let Some(last) = (0..scripts.len()).rev().find(|&index| !self.is_read_only(index)) {
            // The tests write ECHO for the run that was sent last.
            let run = scripts[last].1.split("readonly RUN='").nth(1).unwrap().split('\'').next().unwrap();
            let text = facts.to_string().replace("ECHO", run);
            facts = serde_json::from_str(&text).unwrap();
        }
        let images = json!({"gateway": image("gateway"), "vllm": image("vllm")});
        let report = json!({"outcome": outcome, "action": "x", "message": "said.", "release": 2, "images": images,
            "facts": facts});
        format!("{MARKER}{report}\n")
    }
}

impl Cloud for &SimulatedCloud {
    async fn renew(&self) {
        self.renewals.set(self.renewals.get() + 1);
    }

    fn code_question(&self) -> Option<String> {
        self.second_factor.then(|| "Code: ".to_owned())
    }

    async fn renew_with(&self, _: &str) -> Result<(), CloudError> {
        self.call("renew_with")
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        self.call("identity").map(|()| Identity { account: String::new(), arn: String::new() })
    }

    async fn instance(&self, id: &str) -> Result<Instance, CloudError> {
        self.call("instance")?;
        Ok(Instance {
            id: id.to_owned(),
            state: if self.running.get() { InstanceState::Running } else { InstanceState::Stopped },
            reason: None,
            kind: "g6.2xlarge".to_owned(),
            image: "ami-1".to_owned(),
            zone: "us-east-1a".to_owned(),
            vpc: "vpc-1".to_owned(),
            disk: "vol-1".to_owned(),
            address: self.running.get().then(|| "203.0.113.7".to_owned()),
            private_address: None,
            elastic: false,
            launched: None,
            profile: None,
            groups: Vec::new(),
        })
    }

    async fn checks(&self, _: &str) -> Result<StatusChecks, CloudError> {
        self.call("checks").map(|()| StatusChecks::Passed)
    }

    async fn start(&self, _: &str) -> Result<(), CloudError> {
        self.act("start", || self.running.set(true))
    }

    async fn stop(&self, _: &str) -> Result<(), CloudError> {
        self.act("stop", || self.running.set(false))
    }

    async fn agent(&self, _: &str) -> Result<AgentState, CloudError> {
        self.call("agent").map(|()| AgentState::Online)
    }

    async fn zones_with(&self, _: &str) -> Result<Vec<String>, CloudError> {
        self.call("zones_with").map(|()| vec!["us-east-1b".to_owned()])
    }

    async fn disk_gib(&self, _: &str) -> Result<u32, CloudError> {
        self.call("disk_gib").map(|()| 150)
    }

    async fn termination_protected(&self, _: &str) -> Result<bool, CloudError> {
        self.call("termination_protected").map(|()| true)
    }

    async fn ingress(&self, _: &[String]) -> Result<Vec<Ingress>, CloudError> {
        self.call("ingress").map(|()| Vec::new())
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.call("parameter").map(|()| self.parameters.borrow().get(name).cloned())
    }

    async fn put_parameter(&self, name: &str, value: &str) -> Result<(), CloudError> {
        self.act("put_parameter", || {
            self.parameters.borrow_mut().insert(name.to_owned(), value.to_owned());
        })
    }

    async fn put_new_parameter(&self, name: &str, value: &str) -> Result<bool, CloudError> {
        let free = !self.parameters.borrow().contains_key(name);
        self.act("put_new_parameter", || {
            if free {
                self.parameters.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        })?;
        Ok(free)
    }

    async fn delete_parameter(&self, name: &str) -> Result<(), CloudError> {
        self.act("delete_parameter", || {
            self.parameters.borrow_mut().remove(name);
        })
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

impl Host for &SimulatedCloud {
    async fn programs(&self) -> Result<Option<Vec<String>>, CloudError> {
        self.call("programs")?;
        Ok(self.programs.clone())
    }

    async fn send(&self, script: &Script, name: &str, _: u32) -> Result<CommandId, CloudError> {
        // The values are enough to keep: the program is the same for all scripts, and long.
        let values = script.text().split("\n# shellcheck").next().unwrap_or_default().to_owned();
        self.act("send", || self.scripts.borrow_mut().push((name.to_owned(), values)))?;
        Ok(CommandId(self.scripts.borrow().len().to_string()))
    }

    async fn find(&self, name: &str) -> Result<Option<CommandId>, CloudError> {
        self.call("find")?;
        let found = self.scripts.borrow().iter().position(|(sent, _)| sent == name);
        Ok(found.map(|index| CommandId((index + 1).to_string())))
    }

    async fn get_invocation(&self, id: &CommandId) -> Result<Invocation, CloudError> {
        self.call("look")?;
        let number: usize = id.0.parse().unwrap();
        let text = self.scripts.borrow()[number - 1].1.clone();
        let outcome = self.outcome_of(&text);
        let looks = self.is_read_only(number - 1);
        let changes: Vec<usize> = (0..self.scripts.borrow().len()).filter(|&index| !self.is_read_only(index)).collect();
        let swallowed = changes.iter().take(self.swallows).any(|&index| index == number - 1);
        let progress = match &self.ends {
            _ if swallowed && self.cancels && self.cancelled.borrow().contains(&id.0) => CommandProgress::Cancelled,
            _ if swallowed => CommandProgress::Running,
            Some(end) if !looks && self.calls.borrow().contains(&"cancel") => end.clone(),
            Some(_) if !looks => CommandProgress::Running,
            _ => CommandProgress::Ended(0),
        };
        let reported = matches!(progress, CommandProgress::Ended(_)) && !outcome.is_empty();
        let stdout = if reported { self.report(&outcome) } else { String::new() };
        Ok(Invocation { progress, stdout, stderr: String::new() })
    }

    async fn cancel(&self, id: &CommandId) -> Result<(), CloudError> {
        self.act("cancel", || self.cancelled.borrow_mut().push(id.0.clone()))
    }
}

/// Returns an image by digest.
pub(super) fn image(name: &str) -> String {
    format!("r.example/{name}@sha256:{:064x}", 1)
}
