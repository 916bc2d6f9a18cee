//! The operator's machine: a folder with a configuration, in which the built `deployer` runs.

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

pub(crate) const BOX: &str = "i-0123456789abcdef0";

/// A configuration with literal values, so that the deployer reads no SSM parameters first.
pub(crate) const WRITTEN_OUT: &str = r#"
region = "us-east-1"
[box]
instance_id = "i-0123456789abcdef0"
document = "extraction-gateway-run"
[images]
registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
[cost]
source = "made up for tests"
instance_usd_per_hour = 1.0
disk_usd_per_gib_month = 0.08
disk_gib = 150
address_usd_per_hour = 0.005
"#;

pub(crate) struct Laptop {
    folder: TempDir,
}

/// The exit code and the output of a run.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Returns all three as one text, for snapshots.
    pub(crate) fn shown(&self) -> String {
        format!("exit code {}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }

    /// Replaces a text that differs from run to run.
    pub(crate) fn replaced(mut self, from: &str, to: &str) -> Self {
        self.stdout = self.stdout.replace(from, to);
        self.stderr = self.stderr.replace(from, to);
        self
    }
}

/// A command that runs in a terminal.
pub(crate) struct Terminal {
    child: Child,
    screen: ChildStdout,
    /// Open until the end, because `script` ends when its standard input closes.
    keyboard: ChildStdin,
    shown: Vec<u8>,
}

impl Terminal {
    /// Reads the screen until it shows this text.
    pub(crate) fn until(&mut self, text: &str) {
        let mut byte = [0];
        while !String::from_utf8_lossy(&self.shown).contains(text) && self.screen.read(&mut byte).unwrap() > 0 {
            self.shown.extend(byte);
        }
    }

    /// Types keys. A command that has already ended is not an error here: the test sees that in [`end`](Self::end).
    pub(crate) fn type_keys(&mut self, keys: &str) {
        if let Err(error) = self.keyboard.write_all(keys.as_bytes()) {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        }
    }

    /// Waits for the end. `stdout` is everything that the screen showed.
    pub(crate) fn end(mut self) -> Ended {
        self.screen.read_to_end(&mut self.shown).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ended { code, stdout: String::from_utf8(self.shown).unwrap(), stderr: String::new() }
    }
}

impl Laptop {
    pub(crate) fn new(configuration: &str) -> Self {
        let laptop = Self { folder: tempfile::tempdir().unwrap() };
        laptop.write("deployment.toml", configuration);
        laptop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Returns the contents of all files of the folder, one after the other.
    pub(crate) fn everything(&self) -> String {
        let files = fs::read_dir(self.folder.path()).unwrap();
        files.map(|file| String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap()).into_owned()).collect()
    }

    /// Runs `deployer` with the configuration. AWS is at this address, or unreachable if `None`.
    pub(crate) fn run(&self, arguments: &[&str], aws: Option<&str>, piped: &str) -> Ended {
        self.run_plain_with(&[&["--config", "deployment.toml"], arguments].concat(), aws, piped)
    }

    /// Runs `deployer` with these arguments only. AWS is unreachable.
    pub(crate) fn run_plain(&self, arguments: &[&str]) -> Ended {
        self.run_plain_with(arguments, None, "")
    }

    fn run_plain_with(&self, arguments: &[&str], aws: Option<&str>, piped: &str) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deployer"));
        command.args(arguments);
        self.prepare(&mut command, aws);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(piped.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `deployer` with additional environment variables. An empty value removes a variable.
    pub(crate) fn run_in(&self, arguments: &[&str], aws: Option<&str>, variables: &[(&str, &str)]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deployer"));
        command.args(["--config", "deployment.toml"]).args(arguments);
        self.prepare(&mut command, aws);
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `deployer` in a terminal and types `keys` once it shows `prompt`. `stdout` is everything that it showed.
    pub(crate) fn run_at_a_prompt(&self, arguments: &[&str], aws: Option<&str>, prompt: &str, keys: &str) -> Ended {
        self.run_at_a_prompt_in(arguments, aws, &[], prompt, keys)
    }

    /// Does the same with additional environment variables. An empty value removes a variable.
    pub(crate) fn run_at_a_prompt_in(
        &self,
        arguments: &[&str],
        aws: Option<&str>,
        variables: &[(&str, &str)],
        prompt: &str,
        keys: &str,
    ) -> Ended {
        let mut terminal = self.start_at_a_terminal_in(arguments, aws, variables);
        terminal.until(prompt);
        terminal.type_keys(keys);
        terminal.end()
    }

    /// Starts `deployer` in a terminal. Needs `script` (bsdutils).
    pub(crate) fn start_at_a_terminal(&self, arguments: &[&str], aws: Option<&str>) -> Terminal {
        self.start_at_a_terminal_in(arguments, aws, &[])
    }

    /// Does the same with additional environment variables. An empty value removes a variable.
    pub(crate) fn start_at_a_terminal_in(
        &self,
        arguments: &[&str],
        aws: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Terminal {
        let line = format!("exec {} --config deployment.toml {}", env!("CARGO_BIN_EXE_deployer"), arguments.join(" "));
        self.start_line_at_a_terminal(&line, aws, variables)
    }

    /// Starts `deployer` in a terminal and lets it ignore SIGHUP, as `nohup` does.
    pub(crate) fn start_without_hangup(&self, arguments: &[&str], aws: Option<&str>) -> Terminal {
        let binary = env!("CARGO_BIN_EXE_deployer");
        let line = format!("trap '' HUP; exec {binary} --config deployment.toml {}", arguments.join(" "));
        self.start_line_at_a_terminal(&line, aws, &[])
    }

    fn start_line_at_a_terminal(&self, line: &str, aws: Option<&str>, variables: &[(&str, &str)]) -> Terminal {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", line, "/dev/null"]);
        self.prepare(&mut command, aws);
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (screen, keyboard) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        Terminal { child, screen, keyboard, shown: Vec::new() }
    }

    fn prepare(&self, command: &mut Command, aws: Option<&str>) {
        command.env_clear().current_dir(self.folder.path());
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path()).env("DEPLOYER_OPERATOR", "ada@laptop");
        command.env("AWS_ENDPOINT_URL", aws.unwrap_or("http://127.0.0.1:1"));
        command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
    }
}
