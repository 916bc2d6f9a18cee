//! An AWS emulator on a free port, with one stopped instance whose agent runs scripts on a [`Host`] of shims.
//!
//! Needs Python and, for the installation, its package index, so suites that use it have `test = false`. If it cannot
//! start, the tests fail.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::host::{Host, holds_the_token};

/// A running emulator. Dropping it stops the process.
pub struct Emulator {
    /// The host that the instance represents.
    pub host: Host,
    /// The value for `AWS_ENDPOINT_URL`.
    pub url: String,
    /// The instance, stopped at first.
    pub instance_id: String,
    /// It ends when this ends.
    connection: TcpStream,
}

/// The process whose forks are the emulators, and its port. It ends with this process, which has its stdin open.
static SERVER: LazyLock<(Child, u16)> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator");
    let installed = Command::new(folder.join("install.sh")).stderr(Stdio::inherit()).output().unwrap();
    assert!(installed.status.success(), "moto could not be installed: see above");
    let python = String::from_utf8(installed.stdout).unwrap();
    let mut command = Command::new(python.trim());
    command.arg("-B").arg(folder.join("server.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut port = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let port = port.trim().parse().unwrap_or_else(|_| panic!("the emulator did not start: see above"));
    (process, port)
});

impl Emulator {
    pub fn start() -> Self {
        Self::on(Host::new())
    }

    /// Starts the emulator with an existing host.
    pub fn on(host: Host) -> Self {
        let mut connection = TcpStream::connect(("127.0.0.1", SERVER.1)).unwrap();
        writeln!(connection, "{}", json!({"folder": host.at(""), "environment": environment_of(&host)})).unwrap();
        let mut ready = String::new();
        BufReader::new(&connection).read_line(&mut ready).unwrap();
        let ready: Value =
            serde_json::from_str(&ready).unwrap_or_else(|_| panic!("the emulator did not start: see above"));
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self { host, url: text("url"), instance_id: text("instance_id"), connection }
    }

    /// Adds a stopped instance with a host of its own. Returns its id.
    pub fn add(&self, host: &Host) -> String {
        let made = self.post("further", &json!({"environment": environment_of(host)}).to_string());
        made["instance_id"].as_str().unwrap().to_owned()
    }

    /// Returns the environment variables with which a command uses the emulator as the operator's AWS account.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "emulator".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "emulator".to_owned()),
        ]
    }

    fn post(&self, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).unwrap();
        let length = body.len();
        write!(stream, "POST /_emulator/{path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Makes a call to AWS with boto3: `aws("ssm", "put_parameter", json!({...}))`. Fails the test on an error.
    pub fn aws(&self, service: &str, operation: &str, arguments: &Value) -> Value {
        let call = json!({"service": service, "operation": operation, "arguments": arguments});
        self.post("aws", &call.to_string())
    }

    /// Sets a fault for the next `times` calls of an action: see `add_fault` in tests/emulator/front.py.
    pub fn fault(&self, fault: &Value) {
        self.post("fault", &fault.to_string());
    }

    /// Lets the call continue that a fault delays.
    pub fn release(&self) {
        self.post("release", "");
    }

    /// Sets durations and lasting faults: see tests/emulator/timing.py.
    pub fn set(&self, values: &Value) {
        self.post("set", &values.to_string());
    }

    /// Returns the called actions, in order.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.post("calls", "");
        calls.as_array().unwrap().iter().map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns all calls with their bodies and all commands with their scripts and output, to search for secrets.
    pub fn everything(&self) -> String {
        format!("{}{}", self.post("calls", ""), self.post("commands", ""))
    }

    /// Returns the commands: `{id, document, status, lines, out, err}`.
    pub fn commands(&self) -> Vec<Value> {
        self.post("commands", "").as_array().unwrap().clone()
    }

    /// Returns the sessions: `{id, target, parameters, reason, token, open}`.
    pub fn sessions(&self) -> Vec<Value> {
        self.post("sessions", "").as_array().unwrap().clone()
    }

    /// Returns the state of the instance: `stopped`, `pending`, ...
    pub fn instance_state(&self) -> String {
        self.state_of(&self.instance_id)
    }

    /// Returns the state of an instance.
    pub fn state_of(&self, id: &str) -> String {
        let found = self.aws("ec2", "describe_instances", &json!({"InstanceIds": [id]}));
        found["Reservations"][0]["Instances"][0]["State"]["Name"].as_str().unwrap().to_owned()
    }

    /// Waits until the instance is in a state, for at most two minutes.
    pub fn until_state(&self, wanted: &str) {
        until(&format!("the instance is {wanted}"), || self.instance_state() == wanted);
    }

    /// Starts the instance and waits for its agent, without the deployer.
    pub fn boot(&self) {
        self.aws("ec2", "start_instances", &json!({"InstanceIds": [self.instance_id]}));
        until("the agent is online", || {
            !self.aws("ssm", "describe_instance_information", &json!({}))["InstanceInformationList"]
                .as_array()
                .unwrap()
                .is_empty()
        });
    }
}

/// Checks at the end of every test that the token is nowhere but in the secret store: not in a call, a command, an
/// output, or a file of the host.
impl Drop for Emulator {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(!holds_the_token(self.everything().as_bytes()), "the token is in a call or an output");
            assert_eq!(self.host.leaks(), Vec::<std::path::PathBuf>::new());
        }
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

/// Returns the environment variables of the host's scripts, PATH too.
fn environment_of(host: &Host) -> serde_json::Map<String, Value> {
    let all = host.environment().into_iter().chain([("PATH", host.search_path().to_owned())]);
    all.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// Waits until a condition is true. Fails after two minutes, long enough for a busy machine.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !condition() {
        assert!(Instant::now() < deadline, "waited two minutes until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
