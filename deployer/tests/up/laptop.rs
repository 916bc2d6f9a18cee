//! The operator's machine: the built `deployer`, a repository's files, an emulator for AWS.

use std::{
    fs,
    io::Write as _,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{
    emulator::{Emulator, until},
    host::holds_the_token,
    wanted::{COMPOSE, REGISTRY},
};

/// One operator's machine. Several may work on one emulator.
pub struct Laptop<'a> {
    pub emulator: &'a Emulator,
    folder: TempDir,
    operator: String,
}

/// How a command ended, and its output on both streams.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl CommandOutput {
    /// Asserts the exit code, and that standard error contains all of these words.
    #[track_caller]
    pub fn ended(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.err.contains(word), "standard error lacks `{word}`:\n{self}");
        }
        let last = self.err.lines().last().unwrap_or_default();
        let event = || serde_json::from_str::<serde_json::Value>(last).is_ok_and(|event| event["event"] == "next");
        assert!(last.starts_with("next: ") || event(), "no next step:\n{self}");
        self
    }

    /// Standard error as events.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let event = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{self}"));
        self.err.lines().map(event).collect()
    }

    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{self}"))
    }
}

impl std::fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {:?}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }
}

/// Of the adapter that is served; further lines of a configuration begin under `[model]`.
pub const ADAPTER_REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

impl<'a> Laptop<'a> {
    pub fn new(emulator: &'a Emulator, operator: &str) -> Self {
        let laptop = Self { emulator, folder: TempDir::new().unwrap(), operator: operator.to_owned() };
        fs::create_dir(laptop.folder.path().join("config")).unwrap();
        laptop.write("docker-compose.yml", COMPOSE);
        laptop.write("config/gateway.toml", "listen = \"0.0.0.0:8080\"\n");
        laptop.write("config/keys.txt", &format!("vercel {}\n", "0".repeat(64)));
        laptop.configure("");
        laptop
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Writes the configuration, with further lines at its end.
    pub fn configure(&self, more: &str) {
        self.configure_waits(
            "capacity_seconds = 3\ncapacity_pause_seconds = 1\nagent_seconds = 3\ndeploy_seconds = 60",
            more,
        );
    }

    pub fn configure_waits(&self, waits: &str, more: &str) {
        let id = &self.emulator.instance_id;
        self.write(
            "config/deployment.toml",
            &format!(
                "region = \"us-east-1\"\n[box]\ninstance_id = \"{id}\"\n[images]\nregistry = \"{REGISTRY}\"\n\
                 [images.gateway]\nrepository = \"extraction/gateway\"\ngib = 1\n\
                 [images.vllm]\nrepository = \"extraction/vllm\"\ngib = 25\n\
                 [wait]\nload_seconds = 20\n{waits}\n\
                 [model]\nadapter_revision = \"{ADAPTER_REVISION}\"\n{more}\n"
            ),
        );
    }

    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deployer"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        // A test's own tools come first.
        command.env("PATH", format!("{}/bin:/usr/bin:/bin", self.folder.path().display()));
        command.env("HOME", self.folder.path()).env("DEPLOYER_OPERATOR", &self.operator);
        command.envs(self.emulator.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end, without a terminal.
    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.run_with(arguments, "")
    }

    /// The same with something on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> CommandOutput {
        let mut child = self.command(arguments).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        said(child)
    }

    /// Runs a command at a terminal, both streams on it, at which `keys` are typed. Needs `script` (bsdutils).
    pub fn run_at_a_terminal(&self, arguments: &[&str], keys: &str) -> CommandOutput {
        self.run_at_a_terminal_in(arguments, keys, &[])
    }

    /// The same with other variables: an empty value takes one away.
    pub fn run_at_a_terminal_in(&self, arguments: &[&str], keys: &str, variables: &[(&str, &str)]) -> CommandOutput {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_deployer"), arguments.join(" "));
        let plain = self.command(&[]);
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(self.folder.path());
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
        said(child)
    }

    /// Runs a command where no AWS credentials are.
    pub fn run_without_credentials(&self, arguments: &[&str]) -> CommandOutput {
        let mut command = self.command(arguments);
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        said(command.spawn().unwrap())
    }

    /// Starts a command and lets it run.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// The same with `nohup`, so that the command survives the end of its terminal.
    pub fn start_with_nohup(&self, arguments: &[&str]) -> Child {
        let plain = self.command(&[]);
        let mut command = Command::new("nohup");
        command.arg(env!("CARGO_BIN_EXE_deployer")).args(arguments).current_dir(self.folder.path());
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts `arguments`, and returns when the host's tool `tool` has been reached and waits there.
    pub fn start_until_held(&self, tool: &str, arguments: &[&str]) -> Child {
        self.emulator.host.fault(tool, "hold");
        let child = self.start(arguments);
        until(&format!("{tool} is reached"), || self.emulator.host.at("state/held").exists());
        child
    }

    /// Lets a held tool continue.
    pub fn go(&self) {
        self.emulator.host.set("go", "");
    }

    /// `up` with image numbers.
    pub fn up(&self, gateway: u8, vllm: u8) -> CommandOutput {
        let images = Self::images(gateway, vllm);
        let mut arguments = vec!["up", "--yes"];
        arguments.extend(images.iter().map(String::as_str));
        self.run(&arguments)
    }

    /// The flags that name images of [`crate::support::wanted`].
    pub fn images(gateway: u8, vllm: u8) -> [String; 4] {
        let digest = |image: String| image.split_once('@').unwrap().1.to_owned();
        [
            "--digest".to_owned(),
            format!("gateway={}", digest(crate::support::wanted::gateway(gateway))),
            "--digest".to_owned(),
            format!("vllm={}", digest(crate::support::wanted::vllm(vllm))),
        ]
    }
}

/// Waits for a command that was started.
pub fn said(child: Child) -> CommandOutput {
    let output = child.wait_with_output().unwrap();
    assert!(!holds_the_token(&output.stdout) && !holds_the_token(&output.stderr), "the token was printed");
    CommandOutput {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sends a signal, as the terminal does at Ctrl-C.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
