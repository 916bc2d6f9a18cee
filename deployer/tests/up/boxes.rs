//! Several boxes: a gateway's box and two further ones, each with a host of its own.

use std::fs;

use serde_json::json;

use crate::{
    account,
    laptop::{CommandOutput, Laptop},
    lock,
    support::{
        emulator::Emulator,
        host::Host,
        wanted::{gateway, vllm},
    },
};

const ADAPTER: &str = "[[model.adapters]]\nname = \"medical-ie\"\nrepo = \"owner/adapter\"\n\
                       revision = \"0123abcd0123abcd0123abcd0123abcd0123abcd\"\n";

/// An account with three stopped boxes, each with its key.
struct Account {
    emulator: Emulator,
    further: Vec<(String, Host)>,
}

impl Account {
    fn new() -> Self {
        let emulator = account();
        let mut further = Vec::new();
        for _ in 0..2 {
            let host = Host::new();
            let images: Vec<String> = (1..=3).flat_map(|n| [gateway(n), vllm(n)]).collect();
            host.push(&images.iter().map(String::as_str).collect::<Vec<_>>());
            put_key(&host, "model-port.key");
            further.push((emulator.add(&host), host));
        }
        put_key(&emulator.host, "model-server.key");
        Self { emulator, further }
    }

    /// All boxes serve release 1.
    fn served() -> Self {
        let account = Self::new();
        account.ada().up(1, 1).ended(0, &["3 of 3 model servers are ready."]);
        account
    }

    fn id(&self, further: usize) -> &str {
        &self.further[further].0
    }

    fn host(&self, further: usize) -> &Host {
        &self.further[further].1
    }

    fn ada(&self) -> Laptop<'_> {
        let ids: Vec<&str> = self.further.iter().map(|(id, _)| id.as_str()).collect();
        self.ada_with(&ids)
    }

    fn ada_with(&self, ids: &[&str]) -> Laptop<'_> {
        self.ada_serving(ids, ADAPTER)
    }

    fn ada_serving(&self, ids: &[&str], adapters: &str) -> Laptop<'_> {
        let ada = Laptop::new(&self.emulator, "ada@laptop");
        for name in ["compose.model-port.yml", "compose.other-boxes.yml", "Caddyfile.model-port"] {
            ada.write(&format!("config/{name}"), "services: {}\n");
        }
        let further = |text: String, id: &&str| text + "[[box.models]]\ninstance_id = \"" + id + "\"\n";
        let boxes = ids.iter().fold(String::new(), further);
        ada.configure(&format!("{adapters}{boxes}"));
        ada
    }

    /// The states of all three instances, the gateway's first.
    fn states(&self) -> [String; 3] {
        [self.emulator.instance_state(), self.emulator.state_of(self.id(0)), self.emulator.state_of(self.id(1))]
    }

    /// The instances that reported the end of this action, in order.
    fn sent(&self, action: &str) -> Vec<String> {
        let report = format!("\"action\":\"{action}\"");
        let is = |command: &serde_json::Value| command["out"].as_str().unwrap().contains(&report);
        let commands = self.emulator.commands();
        let sent = commands.iter().filter(|command| is(command));
        sent.map(|command| command["instance"].as_str().unwrap().to_owned()).collect()
    }
}

fn put_key(host: &Host, name: &str) {
    fs::create_dir_all(host.at("root")).unwrap();
    fs::write(host.at("root").join(name), "a key between the boxes\n").unwrap();
}

fn release(host: &Host, file: &str) -> String {
    host.root(&format!("current/{file}"))
}

#[test]
fn the_further_boxes_are_served_before_the_gateway_and_a_second_up_does_nothing() {
    let account = Account::new();
    let (emulator, ada) = (&account.emulator, account.ada());
    let first = ada.up(1, 1);
    first.ended(0, &["asks its own model server and those of 2 further boxes", "3 of 3 model servers are ready."]);
    assert_eq!(account.sent("deploy"), [account.id(0), account.id(1), &emulator.instance_id]);
    let (mut addresses, mut public) = (Vec::new(), emulator.host.root("current/.env"));
    for (id, host) in &account.further {
        assert_eq!(host.serving("vllm"), Some(vllm(1)));
        assert!(host.serving("model-port").is_some() && host.serving("gateway") == Some(gateway(1)), "{id}");
        let env = release(host, ".env");
        assert!(env.contains("GATEWAY_BIND='127.0.0.1'"), "{env}");
        assert!(env.contains("MODEL_SERVER_KEY_FILE='../../model-port.key'"), "{env}");
        assert!(release(host, "keys.txt").starts_with("nobody 0000"), "a further box knows no key of a client");
        let bind = env.lines().find_map(|line| line.strip_prefix("MODEL_PORT_BIND='")).unwrap();
        addresses.push(format!("http://{}:8000", bind.trim_end_matches('\'')));
    }
    assert!(public.contains(&format!("OTHER_MODEL_SERVERS='{}'", addresses.join(","))), "{public}");
    assert!(public.contains("ALL_MODEL_PLACES='96'") && public.contains("GATEWAY_BIND='0.0.0.0'"), "{public}");
    public = release(&emulator.host, "keys.txt");
    assert!(public.starts_with("vercel "), "{public}");
    assert!(emulator.host.serving("model-port").is_none());
    let started = |host: &Host| ["vllm", "gateway"].map(|service| host.started(service));
    let before: Vec<_> = account.further.iter().map(|(_, host)| started(host)).collect();
    let second = ada.up(1, 1);
    second.ended(0, &["Nothing to do."]);
    assert_eq!(second.out, first.out);
    assert_eq!(account.sent("deploy").len(), 3);
    assert_eq!(account.sent("verify"), [account.id(0), account.id(1), &emulator.instance_id]);
    assert_eq!(account.further.iter().map(|(_, host)| started(host)).collect::<Vec<_>>(), before);
    assert_eq!(lock(emulator), None);
    // A key of a client, and its limits, do not concern the further boxes.
    ada.write("config/keys.txt", &format!("vercel {}\nnew {}\n", "0".repeat(64), "1".repeat(64)));
    ada.up(1, 1).ended(0, &["keys     new is added"]);
    assert_eq!(account.sent("deploy")[3..], [&*emulator.instance_id]);
}

#[test]
fn a_further_box_that_fails_goes_back_and_the_gateway_is_not_touched() {
    let account = Account::served();
    let (emulator, ada) = (&account.emulator, account.ada());
    let before = emulator.host.calls().len();
    account.host(1).behave(&vllm(2), "unhealthy");
    let images = Laptop::images(1, 2);
    let arguments: Vec<&str> =
        ["up", "--yes", "--format", "json"].into_iter().chain(images.iter().map(String::as_str)).collect();
    let failed = ada.run(&arguments);
    let document = failed.json();
    assert_eq!((failed.code, &document["exit"]), (Some(3), &3.into()), "{failed}");
    let what = document["what"].as_str().unwrap();
    for word in [account.id(1), "Release 1 serves again", "These boxes have their new release", account.id(0)] {
        assert!(what.contains(word), "{word}: {what}");
    }
    assert!(what.contains("The gateway's box was not changed"), "{what}");
    assert!(document["next"].as_str().unwrap().contains(&format!("--box {}", account.id(1))), "{document}");
    let boxes = &document["boxes"];
    assert_eq!((&boxes[0]["box"], &boxes[0]["release"]), (&account.id(0).into(), &2.into()), "{document}");
    assert_eq!((&boxes[1]["box"], &boxes[1]["outcome"]), (&account.id(1).into(), &"rolled_back".into()));
    // Events say which box they are about, and the failure itself is about the run.
    let events = failed.events();
    let about = |id: &str| events.iter().filter(|event| event["box"] == id && event["event"] == "host").count();
    assert!(about(account.id(0)) > 3 && about(account.id(1)) > 3 && about(&emulator.instance_id) == 0, "{failed}");
    assert!(events.iter().filter(|event| event["event"] == "failure").all(|event| event["box"].is_null()));
    assert_eq!(account.host(0).serving("vllm"), Some(vllm(2)));
    assert_eq!(account.host(1).serving("vllm"), Some(vllm(1)));
    assert_eq!(emulator.host.serving("vllm"), Some(vllm(1)));
    let changes = emulator.host.calls()[before..].iter().filter(|call| call.starts_with("docker.compose-up")).count();
    assert_eq!((changes, lock(emulator)), (0, None));
    // The box that has the new release already is not changed.
    account.host(1).behave(&vllm(2), "");
    ada.up(1, 2).ended(0, &["3 of 3 model servers are ready."]);
    assert_eq!(account.sent("deploy")[5..], [account.id(1), &emulator.instance_id]);
}

#[test]
fn a_model_that_answers_is_taken_from_no_box() {
    let account = Account::new();
    let ids = [account.id(0), account.id(1)];
    let other = ADAPTER.replace("0123abcd", "89ef4567");
    let ada = account.ada_serving(&ids, &format!("{ADAPTER}{other}"));
    ada.up(1, 1).ended(0, &["3 of 3 model servers are ready."]);
    ada.run(&["model", "use", "medical-ie@89ef4567", "--yes"]).ended(0, &["Now answers: medical-ie@89ef4567."]);
    let deploys = account.sent("deploy").len();
    let refused = account.ada_serving(&ids, ADAPTER).up(1, 1);
    refused.ended(1, &["medical-ie@89ef4567 answers for the public name", "nothing was changed", "deployer model use"]);
    assert_eq!(account.sent("deploy").len(), deploys);
}

#[test]
fn a_further_box_that_is_gone_keeps_no_model_answering_and_no_box_running() {
    let account = Account::served();
    let ada = account.ada_with(&[account.id(0), "i-0aaaaaaaaaaaaaaaa"]);
    ada.run(&["model", "rules", "--yes"]).ended(0, &["Now answers: the rules."]);
    let down = ada.run(&["down", "--yes"]);
    down.ended(2, &["i-0aaaaaaaaaaaaaaaa"]);
    assert_eq!(account.states()[..2], ["stopped", "stopped"], "{down}");
}

#[test]
fn a_box_without_its_key_is_refused_before_anything_is_changed() {
    let account = Account::new();
    fs::remove_file(account.host(0).at("root/model-port.key")).unwrap();
    let refused = account.ada().up(1, 1);
    refused.ended(1, &["model-port.key, which contains the key between the boxes", "No other box was changed"]);
    assert_eq!(account.emulator.instance_state(), "stopped");
    assert_eq!(account.host(0).called("docker.pull"), 0);
    // The box that this run started is stopped again; the next one was not reached.
    assert_eq!(account.states().map(|state| state == "stopped"), [true; 3]);
}

#[test]
fn status_shows_every_box_and_down_stops_the_gateway_s_first() {
    let account = Account::served();
    let (emulator, ada) = (&account.emulator, account.ada());
    emulator.host.set("replicas_away", "1");
    let status = ada.run(&["status"]);
    assert!(status.out.contains("models    2 of 3 model servers are ready\n"), "{status}");
    for (id, _) in &account.further {
        assert!(status.out.contains(&format!("\nfurther box {id}\nbox       running ({id}, ")), "{status}");
    }
    assert_eq!(status.out.matches("model-port running (healthy)").count(), 2, "{status}");
    let document = ada.run(&["status", "--format", "json"]).json();
    assert_eq!((&document["serves"], &document["boxes"][1]["serves"]), (&true.into(), &true.into()), "{document}");
    assert_eq!(document["boxes"][1]["instance"]["id"], account.id(1), "{document}");
    ada.up(1, 1).ended(0, &["warning:", "2 of 3 model servers are ready", "port 8000"]);
    ada.run(&["autostop", "on", "--yes"]).ended(2, &["the idle stop is for one box", "deployer down"]);
    // A box that cannot be stopped does not keep the others running.
    account.host(0).fault("docker.compose-stop", "always fail it hangs");
    let failed = ada.run(&["down", "--yes"]);
    assert_ne!(failed.code, Some(0), "{failed}");
    assert!(failed.err.contains(&format!("each may cost 0.98 USD an hour: {}", account.id(0))), "{failed}");
    assert_eq!(account.states(), ["stopped", "running", "stopped"]);
    assert_eq!(account.sent("down"), [&emulator.instance_id, account.id(0), account.id(1)]);
    account.host(0).no_faults();
    ada.run(&["down", "--yes"]).ended(0, &["is stopped already", "All boxes are stopped"]);
    assert_eq!(account.states(), ["stopped", "stopped", "stopped"]);
}

#[test]
fn one_box_is_looked_at_and_rolled_back_by_its_id() {
    let account = Account::served();
    let ada = account.ada();
    ada.up(1, 2).ended(0, &["3 of 3 model servers are ready."]);
    let rolled = ada.run(&["rollback", "--box", account.id(1), "--yes"]);
    rolled.ended(0, &["Release 1 serves again and was verified."]);
    assert_eq!(account.host(1).serving("vllm"), Some(vllm(1)));
    assert_eq!(
        (account.host(0).serving("vllm"), account.emulator.host.serving("vllm")),
        (Some(vllm(2)), Some(vllm(2)))
    );
    let releases = ada.run(&["releases", "--box", account.id(1), "--format", "json"]).json();
    assert_eq!(releases["releases"][2]["action"], "rollback", "{releases}");
    let one = ada.run(&["status", "--box", account.id(0), "--format", "json"]).json();
    assert_eq!((&one["instance"]["id"], &one["boxes"]), (&account.id(0).into(), &json!(null)), "{one}");
    let refused = |arguments: &[&str], words: &[&str]| {
        ada.run(arguments).ended(2, words);
    };
    refused(&["up", "--yes", "--box", account.id(0)], &["this command does not accept --box"]);
    refused(&["status", "--box", "i-0123456789abcdef0"], &["the configuration has no such box", account.id(1)]);
    refused(&["up", "--dry-run"], &["--dry-run prints the script of one box", "deployer plan"]);
}

#[test]
fn boxes_that_cannot_be_are_refused_before_anything_starts() {
    let account = Account::new();
    let check = |ids: &[&str], words: &[&str]| {
        let said: CommandOutput = account.ada_with(ids).up(1, 1);
        said.ended(2, words);
        assert_eq!(account.states().map(|state| state == "stopped"), [true; 3], "{said}");
    };
    check(&[account.id(0), account.id(0)], &["number 2", "appears twice"]);
    check(&[&account.emulator.instance_id], &["is box.instance_id"]);
    // As for a box of another region.
    check(&[account.id(0), "i-0123456789abcdef0"], &["there is no instance i-0123456789abcdef0 in us-east-1"]);
    account.emulator.aws("ec2", "terminate_instances", &json!({"InstanceIds": [account.id(1)]}));
    let gone = account.ada().up(1, 1);
    gone.ended(2, &[account.id(1), "is terminated"]);
    // The boxes that exist can still be shown and stopped.
    let status = account.ada().run(&["status"]);
    assert!(status.out.contains(&format!("further box {}", account.id(1))), "{status}");
}
