//! The engine of `.ci/run engine`: its client, its registry, the images in it.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

/// What the environment says of the engine.
pub struct Engine {
    /// The real client.
    pub docker: PathBuf,
    /// For `DOCKER_HOST`.
    pub address: String,
    /// Its compose plug-in lies in here.
    pub plugins: PathBuf,
    /// `127.0.0.1:PORT`
    pub registry: String,
    /// Its user is called AWS.
    pub password: String,
    images: BTreeMap<String, String>,
}

fn given(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: this suite runs through `.ci/run engine`"))
}

/// The engine; the first call makes the images.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let found = env::split_paths(&given("PATH")).map(|folder| folder.join("docker")).find(|file| file.exists());
        let mut engine = Engine {
            docker: found.unwrap(),
            address: given("DOCKER_HOST"),
            plugins: Path::new(&given("DOCKER_CONFIG")).join("cli-plugins"),
            registry: given("REGISTRY"),
            password: fs::read_to_string(given("REGISTRY_PASSWORD_FILE")).unwrap(),
            images: BTreeMap::new(),
        };
        engine.clean();
        engine.images = images();
        engine
    })
}

fn images() -> BTreeMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/images.sh");
    let made = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(made.status.success(), "the images could not be made: see above");
    let made = String::from_utf8(made.stdout).unwrap();
    made.lines().map(|line| line.split_once(' ').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

/// A container, as the engine describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    /// Changes with every start.
    pub started: String,
    pub state: String,
    pub health: String,
    pub restarts: u64,
    pub exit: i64,
    /// As it was asked for: with its digest.
    pub image: String,
}

impl Engine {
    /// `sha256:...` of an image of images.sh.
    pub fn digest(&self, name: &str) -> &str {
        self.images.get(name).unwrap_or_else(|| panic!("images.sh makes no {name}"))
    }

    /// Runs the client; fails the test where that fails.
    pub fn docker(&self, arguments: &[&str]) -> String {
        let done = Command::new(&self.docker).args(arguments).output().unwrap();
        assert!(done.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    fn ids(&self, label: &str) -> Vec<String> {
        let project = "label=com.docker.compose.project=extraction-gateway";
        let found = self.docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", project, "--filter", label]);
        found.lines().map(str::to_owned).collect()
    }

    /// The container of a service.
    pub fn container(&self, service: &str) -> Option<Container> {
        let ids = self.ids(&format!("label=com.docker.compose.service={service}"));
        let found = Command::new(&self.docker).arg("inspect").arg(ids.first()?).output().unwrap();
        // It may have gone in the meantime.
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

    /// The images of ours that are in the engine: `gateway@sha256:...`, whether they have a tag or not.
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

    /// Pushes a gateway image with so many bytes that the engine does not have, and that does not run.
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

    /// Takes away what a test left: containers, networks, volumes, images of the project.
    pub fn clean(&self) {
        let all = |what: &str, found: String| {
            let names: Vec<&str> = found.lines().collect();
            if !names.is_empty() {
                self.docker(&[what.split(' ').collect(), names].concat());
            }
        };
        let project = "label=com.docker.compose.project=extraction-gateway";
        all("rm --force --volumes", self.ids("label=com.docker.compose.project=extraction-gateway").join("\n"));
        all("network rm", self.docker(&["network", "ls", "--quiet", "--filter", project]));
        all("volume rm", self.docker(&["volume", "ls", "--quiet", "--filter", project]));
        let format = "{{.Repository}} {{.ID}}";
        let images = self.docker(&["image", "ls", "--all", "--no-trunc", "--format", format]);
        let ours =
            images.lines().filter_map(|line| line.split_once(' ')).filter(|(name, _)| name.contains("/extraction/"));
        let mut ids: Vec<&str> = ours.map(|(_, id)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        all("image rm --force", ids.join("\n"));
    }
}
