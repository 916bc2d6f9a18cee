//! Tests of the gateway's process: exit codes, a log without a reader, and exhausted file descriptors.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

pub(crate) struct Program {
    child: Child,
    pub(crate) log: Option<BufReader<ChildStderr>>,
    /// The lines of the log up to the one that reports that the program listens.
    pub(crate) first_lines: Vec<String>,
    pub(crate) address: SocketAddr,
    metrics_address: SocketAddr,
}

impl Program {
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
        command.env("GATEWAY_LISTEN", "127.0.0.1:0").env("GATEWAY_METRICS__LISTEN", "127.0.0.1:0");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut first_lines = Vec::new();
        let (address, metrics_address) = loop {
            let mut text = String::new();
            assert_ne!(log.read_line(&mut text).unwrap(), 0, "the process ended before it listened");
            let line: Value = serde_json::from_str(&text).unwrap();
            first_lines.push(text);
            if line["message"] == "listening" {
                let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
                break (address("address"), address("metrics_address"));
            }
        };
        Self { child, log: Some(log), first_lines, address, metrics_address }
    }

    pub(crate) fn gateway() -> Self {
        Self::start(env!("CARGO_BIN_EXE_gateway"), &["serve", "--engine", "rules"])
    }

    /// Returns the id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn exit_code(mut self) -> Option<i32> {
        // The rest of the log is read, so that a full pipe does not influence how the process ends.
        let log = self.log.take();
        let reader = std::thread::spawn(move || log.map(|mut log| log.read_to_end(&mut Vec::new())));
        let code = self.child.wait().unwrap().code();
        drop(reader.join());
        code
    }

    /// Sends a note and returns the status of the answer.
    pub(crate) fn status(&self) -> std::io::Result<u16> {
        let answer = self.answer()?;
        Ok(answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0))
    }

    /// Sends a note and returns the status and the error code of the answer, or `ok`.
    pub(crate) fn codes(&self) -> (u16, String) {
        let answer = self.answer().unwrap();
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        (answer.get(9..12).unwrap().parse().unwrap(), body["code"].as_str().unwrap_or("ok").to_owned())
    }

    fn answer(&self) -> std::io::Result<String> {
        let body = "{\"text\": \"Stage II breast cancer.\"}";
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let head =
            "POST /api/v1/extract HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_is_greeted_with_the_address_to_open() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let screen = std::fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_gateway"));
    program.args(["--engine", "rules", "--listen", "localhost:0"]).stdin(Stdio::null()).stdout(Stdio::null());
    let child = program.stderr(screen).spawn().unwrap();
    drop(program);
    let log = None;
    let mut lines = BufReader::new(std::fs::File::from(terminal)).lines().map(Result::unwrap);
    let (mut first_lines, mut page) = (Vec::new(), None);
    while page.is_none() {
        first_lines.push(lines.next().unwrap());
        page = first_lines.last().unwrap().trim().strip_prefix("page     http://").map(str::to_owned);
    }
    let address: SocketAddr = page.unwrap().strip_suffix("/ui").unwrap().parse().unwrap();
    assert!(!first_lines.iter().any(|line| line.starts_with('{')), "{first_lines:?}");
    let program = Program { child, log, first_lines, address, metrics_address: address };
    assert_eq!(program.status().unwrap(), 200);
}

#[test]
fn health_checks_from_this_machine_are_not_logged() {
    let mut program = Program::gateway();
    let health = ["/health", "/health/live", "/health/ready"];
    for (path, headers) in health
        .map(|path| (path, ""))
        .into_iter()
        .chain([("/health/ready", "X-Forwarded-For: 198.51.100.2\r\n"), ("/api/v1/models", "")])
    {
        let mut stream = TcpStream::connect(program.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    program.signal("TERM");
    let mut log = String::new();
    program.log.take().unwrap().read_to_string(&mut log).unwrap();
    let routes: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["message"] == "request")
        .map(|line| line["route"].as_str().unwrap().to_owned())
        .collect();
    // The health check of a load balancer is logged, and so are all other requests.
    assert_eq!(routes, ["/health/ready", "/api/v1/models"]);
}

#[test]
fn exit_codes_of_signals() {
    for (signal, code) in [("TERM", 0), ("INT", 130)] {
        let program = Program::gateway();
        assert_eq!(program.status().unwrap(), 200);
        program.signal(signal);
        assert_eq!(program.exit_code(), Some(code), "{signal}");
    }
}

#[test]
fn a_closed_log_pipe_stops_no_request() {
    let mut program = Program::gateway();
    program.log = None;
    for _ in 0..50 {
        assert_eq!(program.status().unwrap(), 200);
    }
    program.signal("TERM");
    assert_eq!(program.exit_code(), Some(0));
}

#[test]
fn a_stalled_log_reader_does_not_delay_shutdown() {
    let mut program = Program::gateway();
    // These requests write more log lines than a pipe holds, and the test reads none.
    for _ in 0..600 {
        assert_eq!(program.status().unwrap(), 200);
    }
    program.signal("TERM");
    assert_eq!(program.child.wait().unwrap().code(), Some(0));
}

#[test]
fn sighup_without_a_key_file_does_not_end_the_process() {
    let program = Program::gateway();
    program.signal("HUP");
    assert_eq!(program.status().unwrap(), 200);
    program.signal("TERM");
    assert_eq!(program.exit_code(), Some(0));
}

#[test]
fn unusable_files_and_values_are_settings_errors() {
    for (variable, value) in [
        ("GATEWAY_AUTH_KEYS_FILE", "/nowhere/keys"),
        ("GATEWAY_VLLM__API_KEY_FILE", "/nowhere/key"),
        ("GATEWAY_AUDIT__PATH", "/nowhere/audit.jsonl"),
        ("GATEWAY_AUDIT__KEEP", "99999999999"),
        ("GATEWAY_CODES__FILES", "/nowhere/codes.csv"),
    ] {
        for command in ["check-config", "serve"] {
            let mut program = Command::new(env!("CARGO_BIN_EXE_gateway"));
            program
                .args([command, "--listen", "127.0.0.1:0"])
                .env("VLLM_BASE_URL", "http://127.0.0.1:9")
                .env("GATEWAY_AUDIT__PATH", "/tmp/x")
                .env(variable, value);
            let output = program.output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{command} {variable}");
        }
    }
}

#[test]
fn a_bad_line_in_a_file_of_codes_refuses_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let [good, bad] = ["good.csv", "bad.csv"].map(|name| folder.path().join(name));
    std::fs::write(&good, "system,code,display,match\nS,1,One,one\n").unwrap();
    std::fs::write(&bad, "system,code,display,match\nS,2,Two,two\nS,,Three,three\n").unwrap();
    for command in ["check-config", "serve", "selftest"] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_gateway"));
        program.args([command, "--engine", "rules", "--listen", "127.0.0.1:0"]).env_remove("RUST_LOG");
        let output =
            program.env("GATEWAY_CODES__FILES", format!("{},{}", good.display(), bad.display())).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {text}");
        let fault = format!("codes.files: {}, line 3: the column `code` is empty", bad.display());
        assert!(text.contains(&fault), "{command}: {text}");
    }
}

#[test]
fn the_log_names_the_files_of_codes_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.csv");
    std::fs::write(&file, "system,code,display,match\nS,1,One,one\nS,2,Two,two\n").unwrap();
    let script = format!(
        "GATEWAY_CODES__FILES='{}' exec '{}' serve --engine rules",
        file.display(),
        env!("CARGO_BIN_EXE_gateway")
    );
    let program = Program::start("sh", &["-c", &script]);
    let lines = program.first_lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let [line] = lines.filter(|line| line["message"] == "codes are read").collect::<Vec<_>>().try_into().unwrap();
    let sum = Command::new("sha256sum").arg(&file).output().unwrap().stdout;
    assert!(String::from_utf8(sum).unwrap().starts_with(line["sha256"].as_str().unwrap()));
    assert_eq!((&line["name"], &line["rows"]), (&"own.csv".into(), &2.into()));
}

/// Starts the program with a key file of one key in `folder`.
fn with_key_file(folder: &Path) -> (Program, PathBuf) {
    let file = folder.join("keys");
    std::fs::write(&file, gateway::access::line_for("page", &"k".repeat(32)).unwrap()).unwrap();
    let binary = env!("CARGO_BIN_EXE_gateway");
    let script = format!("GATEWAY_AUTH_KEYS_FILE='{}' exec '{binary}' serve --engine rules", file.display());
    (Program::start("sh", &["-c", &script]), file)
}

#[test]
fn healthcheck_reads_the_idle_time_from_the_metrics_port_without_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let (program, _) = with_key_file(folder.path());
    let binary = env!("CARGO_BIN_EXE_gateway");
    for (metrics, idle) in [(Some(program.metrics_address), true), (None, false)] {
        let mut check = Command::new(binary);
        check.args(["healthcheck", "--format", "json"]).env("GATEWAY_LISTEN", program.address.to_string());
        check.env_remove("GATEWAY_METRICS__LISTEN");
        check.envs(metrics.map(|address| ("GATEWAY_METRICS__LISTEN", address.to_string())));
        let output = check.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &report["ready"]), (Some(0), &Value::Bool(true)), "{report}");
        assert_eq!(report["idle_seconds"].is_u64(), idle, "{report}");
        // Where the idle time is missing, standard error names the setting that would supply it.
        assert_eq!(String::from_utf8(output.stderr).unwrap().contains("metrics.listen"), !idle);
    }
}

/// Reads the log up to the line whose message contains `text`, and returns that line.
pub(crate) fn wait_for(log: &mut BufReader<ChildStderr>, text: &str) -> Value {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the log ended without: {text}");
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["message"].as_str().unwrap().contains(text) {
            return line;
        }
    }
}

#[test]
fn a_key_file_replaced_by_a_pipe_blocks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, file) = with_key_file(folder.path());
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let mut log = program.log.take().unwrap();
    for _ in 0..20 {
        program.signal("HUP");
        let line = wait_for(&mut log, "API keys not reloaded; the old ones stay valid");
        assert!(line["error"].as_str().unwrap().contains("not a regular file"), "{line}");
    }
    program.log = Some(log);
    // The gateway still answers: a request without a key gets 401.
    assert_eq!(program.status().unwrap(), 401);
    program.signal("TERM");
    assert_eq!(program.exit_code(), Some(0));
}

#[test]
fn an_existing_settings_path_is_never_ignored() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 2] = [
        ("a link to nowhere", |file| std::os::unix::fs::symlink("nowhere", file).unwrap()),
        ("a folder, which Docker creates for a missing bind source", |file| std::fs::create_dir(file).unwrap()),
    ];
    for (case, make) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config/gateway.toml");
        std::fs::create_dir(folder.path().join("config")).unwrap();
        let check = || {
            let mut program = Command::new(env!("CARGO_BIN_EXE_gateway"));
            program.current_dir(folder.path()).arg("check-config").output().unwrap()
        };
        assert_eq!(check().status.code(), Some(0), "without a file the defaults apply");
        make(&file);
        let output = check();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{case}: {error}");
        assert!(error.contains("config/gateway.toml") && error.contains("--config"), "{case}: {error}");
    }
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"));
    let mut child = child.arg("openapi").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(0), ""));
}

#[test]
fn exhausted_descriptors_affect_only_new_connections() {
    let script = format!("ulimit -n 60; exec '{}' serve --engine rules", env!("CARGO_BIN_EXE_gateway"));
    let program = Program::start("sh", &["-c", &script]);
    // The first connection stays open and is served.
    let mut first = TcpStream::connect(program.address).unwrap();
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(program.address)).collect();
    first.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(crowd);
    // Once the other connections close, new ones are served again without a restart.
    assert_eq!(program.status().unwrap(), 200);
    program.signal("TERM");
    assert_eq!(program.exit_code(), Some(0));
}

#[test]
fn ten_thousand_idle_connections_do_not_disturb_requests() {
    const IDLE: usize = 10_000;
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let program = Program::gateway();
    let idle: Vec<_> = (0..IDLE)
        .map(|_| {
            let mut stream = TcpStream::connect(program.address).unwrap();
            stream.write_all(b"GET /hea").unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(program.status().unwrap(), 200);
    }
    drop(idle);
    assert_eq!(program.status().unwrap(), 200);
    program.signal("TERM");
    assert_eq!(program.exit_code(), Some(0));
}
