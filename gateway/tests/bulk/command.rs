//! Runs the command in a folder of its own and reads what came of it.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to work in.
pub(crate) struct Desk {
    folder: TempDir,
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
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

    /// The command, not yet run; it reads the notes with the rules unless the arguments name a server.
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

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    pub(crate) fn run_with(&self, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Said {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_ref()).unwrap();
        ended(child)
    }

    /// The lines of an output, by id. Two of one id, or a line that is none, fail the test.
    pub(crate) fn results(&self, name: &str) -> BTreeMap<String, Value> {
        by_id(&self.text(name))
    }
}

pub(crate) fn said(command: &mut Command) -> Said {
    ended(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

pub(crate) fn ended(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn by_id(lines: &str) -> BTreeMap<String, Value> {
    assert!(lines.is_empty() || lines.ends_with('\n'), "the last line is torn");
    let mut results = BTreeMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["id"].as_str().unwrap().to_owned();
        assert!(results.insert(id.clone(), line).is_none(), "two results of {id}");
    }
    results
}

/// A note that the rules read at once.
pub(crate) fn note(number: usize) -> String {
    let stage = ["I", "II", "III", "IV"][number % 4];
    format!("Patient {number} has stage {stage} adenocarcinoma of the colon, given FOLFOX.")
}

/// JSON lines of so many notes, from the first number on.
pub(crate) fn lines(numbers: std::ops::Range<usize>) -> String {
    let mut lines = String::new();
    for number in numbers {
        lines.push_str(&serde_json::json!({"id": format!("n-{number}"), "text": note(number)}).to_string());
        lines.push('\n');
    }
    lines
}

/// Why a note failed: status, code and the rule that it broke.
pub(crate) fn failure(line: &Value) -> (u64, &str, &str) {
    let error = &line["error"];
    let rule = error["errors"][0]["rule"].as_str().unwrap_or_default();
    (line["status"].as_u64().unwrap(), error["code"].as_str().unwrap_or_default(), rule)
}
