//! The Docker engine of `.ci/run engine`: its client, its registry and its images.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// The engine, as the environment variables describe it.
pub struct Engine {
    /// The path of the real client.
    pub docker: PathBuf,
    /// The value for `DOCKER_HOST`.
    pub address: String,
    /// The folder with the compose plug-in.
    pub plugins: PathBuf,
    /// `127.0.0.1:PORT`
    pub registry: String,
    /// The password of the registry's user `AWS`.
    pub password: String,
    images: BTreeMap<String, String>,
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: this suite runs through `.ci/run engine`"))
}

/// Returns the engine. The first call builds the images.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let found = env::split_paths(&variable("PATH")).map(|folder| folder.join("docker")).find(|file| file.exists());
        let mut engine = Engine {
            docker: found.unwrap(),
            address: variable("DOCKER_HOST"),
            plugins: Path::new(&variable("DOCKER_CONFIG")).join("cli-plugins"),
            registry: variable("REGISTRY"),
            password: fs::read_to_string(variable("REGISTRY_PASSWORD_FILE")).unwrap(),
            images: BTreeMap::new(),
        };
        engine.clean();
        engine.images = images();
        engine
    })
}

fn images() -> BTreeMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/images.sh");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "images.sh could not build the images: see above");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| line.split_once(' ').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// A container, as the engine describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    /// The time of the last start.
    pub started: String,
    pub state: String,
    pub health: String,
    pub restarts: u64,
    pub exit: i64,
    /// The image with its digest, as compose requested it.
    pub image: String,
}

impl Engine {
    /// Returns the digest (`sha256:...`) of an image of images.sh.
    pub fn digest(&self, name: &str) -> &str {
        self.images.get(name).unwrap_or_else(|| panic!("images.sh does not build {name}"))
    }

    /// Runs the client and returns its output. Fails the test on an error.
    pub fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.docker).args(arguments).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn ids(&self, label: &str) -> Vec<String> {
        let project = "label=com.docker.compose.project=extraction-gateway";
        let found = self.docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", project, "--filter", label]);
        found.lines().map(str::to_owned).collect()
    }

    /// Returns the container of a service, if there is one.
    pub fn container(&self, service: &str) -> Option<Container> {
        let ids = self.ids(&format!("label=com.docker.compose.service={service}"));
        let found = Command::new(&self.docker).arg("inspect").arg(ids.first()?).output().unwrap();
        // The container may have been removed in the meantime.
        let found: Value = serde_json::from_slice(&found.stdout).unwrap();
        let found = found.get(0)?;
        let text = |path: &str| found.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Container {
            id: text("/Id"),
            started: text("/State/StartedAt"),
            state: text("/State/Status"),
            health: text("/State/Health/Status"),
            restarts: found["RestartCount"].as_u64().unwrap(),
            exit: found["State"]["ExitCode"].as_i64().unwrap(),
            image: text("/Config/Image"),
        })
    }

    /// Returns the project's images in the engine (`gateway@sha256:...`), with or without a tag.
    pub fn images_here(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let ids = self.docker(&["image", "ls", "--all", "--quiet", "--no-trunc"]);
        for id in ids.lines() {
            let digests = self.docker(&["image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", id]);
            let prefix = format!("{}/extraction/", self.registry);
            found.extend(digests.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Pushes a gateway image with a new layer of random bytes, and returns its digest. The image cannot run.
    pub fn push_bytes(&self, tag: &str, bytes: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (file, tag) = (folder.path().join("bytes"), format!("{}/extraction/gateway:{tag}", self.registry));
        let mut random = vec![0; bytes];
        getrandom::fill(&mut random).unwrap();
        fs::write(&file, random).unwrap();
        let archive = folder.path().join("archive");
        let packed = Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(folder.path()).arg("bytes").status();
        assert!(packed.unwrap().success());
        self.docker(&["import", archive.to_str().unwrap(), &tag]);
        self.docker(&["push", "--quiet", &tag]);
        let digest = self.docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", &tag]);
        self.docker(&["image", "rm", &tag]);
        digest.trim().split_once('@').unwrap().1.to_owned()
    }

    /// Removes the project's containers, networks, volumes and images that a test left.
    pub fn clean(&self) {
        let remove = |command: &str, lines: String| {
            let names: Vec<&str> = lines.lines().collect();
            if !names.is_empty() {
                self.docker(&[command.split(' ').collect(), names].concat());
            }
        };
        let project = "label=com.docker.compose.project=extraction-gateway";
        remove("rm --force --volumes", self.ids("label=com.docker.compose.project=extraction-gateway").join("\n"));
        remove("network rm", self.docker(&["network", "ls", "--quiet", "--filter", project]));
        remove("volume rm", self.docker(&["volume", "ls", "--quiet", "--filter", project]));
        let format = "{{.Repository}} {{.ID}}";
        let images = self.docker(&["image", "ls", "--all", "--no-trunc", "--format", format]);
        let ours =
            images.lines().filter_map(|line| line.split_once(' ')).filter(|(name, _)| name.contains("/extraction/"));
        let mut ids: Vec<&str> = ours.map(|(_, id)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        remove("image rm --force", ids.join("\n"));
    }
}
