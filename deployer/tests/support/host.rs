//! A test host with its state and its faults.

use std::{
    fs,
    io::Write as _,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use deployer::script::{HostReport, Script, parse_report};
use tempfile::TempDir;

/// The Hugging Face token in the shim's secret store. It must never be anywhere else.
pub const CANARY: &str = "hf_CANARYxQzNoOtherFileMayHoldThisWord42";
pub const SECRET: &str = "extraction-gateway/hf-token";

/// Writes an executable file through another process. If this process wrote it, a child that another test starts at the
/// same time would inherit the open descriptor, and running the file would fail with "Text file busy".
pub fn write_program(path: &Path, text: &str) {
    let mut writer = Command::new("sh");
    writer.args(["-c", "umask 077 && cat >\"$0\" && chmod 700 \"$0\""]).arg(path);
    let mut writer = writer.stdin(Stdio::piped()).spawn().unwrap();
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
}

/// A new host: Docker, one L4, 150 GB free, a role with the needed rights, and no release yet.
pub struct Host {
    folder: TempDir,
    path: String,
    variables: Vec<(&'static str, String)>,
}

/// The result of a script.
#[derive(Debug)]
pub struct ScriptRun {
    /// The exit code, `None` if a signal killed the script.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub report: Option<HostReport>,
}

impl ScriptRun {
    /// Returns the report. Fails the test if there is none, as after a kill.
    pub fn report(&self) -> &HostReport {
        self.report.as_ref().unwrap_or_else(|| panic!("no report: {self:?}"))
    }
}

impl Host {
    /// Makes a host in memory, because the scripts refuse to write a token anywhere else.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("host-").tempdir_in("/dev/shm").unwrap();
        let shims = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/shims");
        let host =
            Self { path: format!("{}:/usr/local/bin:/usr/bin:/bin", shims.display()), folder, variables: Vec::new() };
        for name in ["state/faults", "state/behaviour", "state/containers", "state/volumes", "state/logs", "units"] {
            fs::create_dir_all(host.at(name)).unwrap();
        }
        host.set("uptime", "100000.00 1.00\n");
        host.secret(CANARY);
        host
    }

    /// Returns the host with tools that take precedence over the shims, and the environment variables that they need.
    pub fn with_tools(mut self, tools: &Path, variables: Vec<(&'static str, String)>) -> Self {
        self.path = format!("{}:{}", tools.display(), self.path);
        self.variables = variables;
        self
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the environment variables of a script, without PATH.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let at = |name: &str| self.at(name).display().to_string();
        let mut all = vec![
            ("SHIM_STATE", at("state")),
            ("EXTRACTION_GATEWAY_ROOT", at("root")),
            ("EXTRACTION_GATEWAY_RUN", at("run")),
            ("EXTRACTION_GATEWAY_UNITS", at("units")),
            ("EXTRACTION_GATEWAY_UPTIME", at("state/uptime")),
            // If a test does not write this file, the clock of this machine applies.
            ("EXTRACTION_GATEWAY_CLOCK", at("state/now")),
            ("EXTRACTION_GATEWAY_PAUSE", "0.05".to_owned()),
        ];
        all.retain(|(name, _)| self.variables.iter().all(|(other, _)| other != name));
        all.extend(self.variables.iter().cloned());
        all
    }

    /// Returns the PATH of a script. The shims come first.
    pub fn search_path(&self) -> &str {
        &self.path
    }

    fn command(&self, file: &Path) -> Command {
        let mut command = Command::new("sh");
        // As the agent of Systems Manager does: the shebang applies, HOME is not set, and the process group is new.
        command.arg("-c").arg(file).env_clear().env("PATH", &self.path).envs(self.environment());
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn write_script(&self, text: &str) -> PathBuf {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let path = self.folder.path().join(format!("script-{}", NUMBER.fetch_add(1, Relaxed)));
        write_program(&path, &super::mutant::apply(text));
        path
    }

    /// Starts a script and lets it run.
    pub fn spawn(&self, text: &str) -> Child {
        self.command(&self.write_script(text)).spawn().unwrap()
    }

    /// Waits for a started script.
    pub fn wait(child: Child) -> ScriptRun {
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let report = parse_report(&stdout);
        ScriptRun { code: output.status.code(), report, stdout, stderr: String::from_utf8(output.stderr).unwrap() }
    }

    pub fn run_text(&self, text: &str) -> ScriptRun {
        Self::wait(self.spawn(text))
    }

    /// Runs a script to its end. Fails the test if the report and the exit code disagree.
    pub fn run(&self, script: &Script) -> ScriptRun {
        let ran = self.run_text(&script.text());
        if let Some(report) = &ran.report {
            assert_eq!(ran.code, Some(i32::from(report.outcome.exit_code())), "{ran:?}");
        }
        ran
    }

    /// Runs the idle stop once, as its timer does.
    pub fn tick(&self) -> ScriptRun {
        Self::wait(self.command(&self.at("root/autostop/autostop.sh")).spawn().unwrap())
    }

    /// Sets a value of the shims' state.
    pub fn set(&self, name: &str, value: &str) {
        let file = self.at("state").join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, value).unwrap();
    }

    /// Returns a value of the shims' state, empty if it is missing.
    pub fn get(&self, name: &str) -> String {
        fs::read_to_string(self.at("state").join(name)).unwrap_or_default()
    }

    /// Sets a fault for the next call of a tool, or with `always ...` for all calls; see tests/emulator/shim.sh.
    pub fn fault(&self, key: &str, fault: &str) {
        self.set(&format!("faults/{key}"), &format!("{fault}\n"));
    }

    pub fn no_faults(&self) {
        fs::remove_dir_all(self.at("state/faults")).unwrap();
        fs::create_dir_all(self.at("state/faults")).unwrap();
    }

    pub fn secret(&self, text: &str) {
        self.set(&format!("secrets/{}", SECRET.replace('/', "_")), &format!("{text}\n"));
    }

    /// Puts images into the registry.
    pub fn push(&self, images: &[&str]) {
        let registry = self.get("registry");
        self.set("registry", &format!("{registry}{}\n", images.join("\n")));
    }

    /// Sets the behaviour of containers of this image: a word of `started` in tests/emulator/compose.sh or of
    /// `gateway_command` in the docker shim.
    pub fn behave(&self, image: &str, behaviour: &str) {
        self.set(&format!("behaviour/{}", image.rsplit(':').next().unwrap()), behaviour);
    }

    /// Returns the calls of all tools so far.
    pub fn calls(&self) -> Vec<String> {
        self.get("calls").lines().map(str::to_owned).collect()
    }

    pub fn called(&self, start: &str) -> usize {
        self.calls().iter().filter(|call| call.starts_with(start)).count()
    }

    /// Returns the image of a service if its container runs and is healthy.
    pub fn serving(&self, service: &str) -> Option<String> {
        let value = |name: &str| self.get(&format!("containers/{service}/{name}"));
        (value("state") == "running" && value("health") == "healthy").then(|| value("image"))
    }

    /// Returns a value that changes with every start of the container.
    pub fn started(&self, service: &str) -> String {
        self.get(&format!("containers/{service}/started"))
    }

    /// Returns a file of the deployment's root folder, empty if it is missing.
    pub fn root(&self, name: &str) -> String {
        fs::read_to_string(self.at("root").join(name)).unwrap_or_default()
    }

    /// Returns whether no run left its temporary folder, which could contain a token or a login.
    pub fn has_no_temporary_folders(&self) -> bool {
        fs::read_dir(self.at("run")).unwrap().all(|entry| !entry.unwrap().path().is_dir())
    }

    /// Returns the files of this host that contain the token, except the secret store.
    pub fn leaks(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with("state/secrets") || path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if holds_the_token(&fs::read(&path).unwrap_or_default()) {
                    found.push(path);
                }
            }
        }
        found
    }
}

/// Returns the current time in the format of Docker's timestamps.
pub fn stamp() -> String {
    let output = Command::new("date").args(["--utc", "+%Y-%m-%dT%H:%M:%S.%NZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Returns whether the bytes contain twelve consecutive characters of the token, its first three aside.
pub fn holds_the_token(bytes: &[u8]) -> bool {
    let token = CANARY.as_bytes();
    token.windows(12).skip(3).any(|part| bytes.windows(part.len()).any(|window| window == part))
}
