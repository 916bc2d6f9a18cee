//! Runs the command in a temporary folder and reads its output.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A temporary folder in which commands run.
pub(crate) struct Workspace {
    folder: TempDir,
}

/// The exit code and the output of a run.
#[derive(Debug)]
pub(crate) struct RunOutput {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Returns the command without running it. The rules engine reads the notes unless the arguments name a server or
    /// an engine.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.current_dir(self.folder.path()).arg("extract").args(arguments);
        if !arguments.contains(&"--server") && !arguments.contains(&"--engine") {
            command.args(["--engine", "rules"]);
        }
        for name in ["VLLM_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> RunOutput {
        said(&mut self.command(arguments))
    }

    pub(crate) fn run_with(&self, arguments: &[&str], stdin: impl AsRef<[u8]>) -> RunOutput {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_ref()).unwrap();
        ended(child)
    }

    /// Returns the lines of an output by id. Two lines with the same id or an invalid line fail the test.
    pub(crate) fn results(&self, name: &str) -> BTreeMap<String, Value> {
        by_id(&self.text(name))
    }
}

pub(crate) fn said(command: &mut Command) -> RunOutput {
    ended(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

pub(crate) fn ended(child: Child) -> RunOutput {
    let output = child.wait_with_output().unwrap();
    RunOutput {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn by_id(lines: &str) -> BTreeMap<String, Value> {
    assert!(lines.is_empty() || lines.ends_with('\n'), "the last line is incomplete");
    let mut results = BTreeMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["id"].as_str().unwrap().to_owned();
        assert!(results.insert(id.clone(), line).is_none(), "two results of {id}");
    }
    results
}

/// Returns a note that the rules engine can read.
pub(crate) fn note(number: usize) -> String {
    let stage = ["I", "II", "III", "IV"][number % 4];
    format!("Patient {number} has stage {stage} adenocarcinoma of the colon, given FOLFOX.")
}

/// Returns JSON lines with one note for each number.
pub(crate) fn lines(numbers: std::ops::Range<usize>) -> String {
    let mut lines = String::new();
    for number in numbers {
        lines.push_str(&serde_json::json!({"id": format!("n-{number}"), "text": note(number)}).to_string());
        lines.push('\n');
    }
    lines
}

/// Returns why a note failed: status, code and the rule that it broke.
pub(crate) fn failure(line: &Value) -> (u64, &str, &str) {
    let error = &line["error"];
    let rule = error["errors"][0]["rule"].as_str().unwrap_or_default();
    (line["status"].as_u64().unwrap(), error["code"].as_str().unwrap_or_default(), rule)
}
