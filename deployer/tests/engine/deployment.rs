//! One box and one operator. The box is the emulator's instance, whose agent has the real client of the engine. The
//! operator's laptop has the files of the repository.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::Path,
    process::Child,
    thread,
};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    Emulator,
    engine::{Container, Engine, engine},
    laptop::{ADAPTER_REVISION, CommandOutput, Laptop},
    support::{
        emulator::until,
        host::{Host, SECRET},
    },
};

/// The API key of the gateway, made up.
pub const KEY: &str = "a-key-of-the-engine-suite-0123456789";

/// Returns a host whose `docker` is the real client of the engine.
pub fn host() -> Host {
    let engine = engine();
    let host = Host::new();
    let home = host.at("home");
    fs::create_dir_all(home.join(".docker")).unwrap();
    symlink(&engine.plugins, home.join(".docker/cli-plugins")).unwrap();
    let variables = vec![
        ("ENGINE_DOCKER", engine.docker.display().to_string()),
        ("DOCKER_HOST", engine.address.clone()),
        ("HOME", home.display().to_string()),
        ("EXTRACTION_GATEWAY_PAUSE", "0.5".to_owned()),
    ];
    let host = host.with_tools(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/bin"), variables);
    host.set("registry_password", &engine.password);
    host
}

/// Starts an AWS account with a stopped box and a clean engine.
pub fn account() -> Emulator {
    engine().clean();
    let emulator = Emulator::on(host());
    emulator.aws("secretsmanager", "create_secret", &json!({"Name": SECRET, "SecretString": "never read from here"}));
    emulator
}

/// The operator's laptop and the engine of the box.
pub struct Deployment<'a> {
    pub laptop: Laptop<'a>,
    /// The port of the gateway on this machine.
    pub port: u16,
    /// The registry that the host pulls from.
    pub registry: String,
    pub engine: &'static Engine,
}

impl<'a> Deployment<'a> {
    pub fn new(emulator: &'a Emulator) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let deployment = Self {
            laptop: Laptop::new(emulator, "ada@laptop"),
            port: free,
            registry: engine().registry.clone(),
            engine: engine(),
        };
        for name in ["docker-compose.yml", "config/gateway.toml", "config/compose.no-gpu.yml"] {
            let text = fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            deployment.laptop.write(name, &text);
        }
        let digest = hex::encode(Sha256::digest(KEY));
        deployment.laptop.write("config/keys.txt", &format!("suite {digest}\n"));
        deployment.configure("", "");
        deployment
    }

    /// Writes the configuration, with further lines under `[model]` and `[gateway]`.
    pub fn configure(&self, model: &str, gateway: &str) {
        self.configure_waits("load_seconds = 20\ndeploy_seconds = 300", model, gateway);
    }

    pub fn configure_waits(&self, waits: &str, model: &str, gateway: &str) {
        let (id, registry) = (&self.laptop.emulator.instance_id, &self.registry);
        self.laptop.write(
            "config/deployment.toml",
            &format!(
                "region = \"us-east-1\"\n[box]\ninstance_id = \"{id}\"\ngpu = false\n\
                 [images]\nregistry = \"{registry}\"\n\
                 [images.gateway]\nrepository = \"extraction/gateway\"\ngib = 1\n\
                 [images.vllm]\nrepository = \"extraction/vllm\"\ngib = 1\n\
                 [wait]\n{waits}\n\
                 [model]\ngib = 1\nadapter_revision = \"{ADAPTER_REVISION}\"\n{model}\n\
                 [gateway]\nbind = \"127.0.0.1\"\nport = {}\n{gateway}\n",
                self.port
            ),
        );
    }

    /// Returns a command line with the two images, which are names of images.sh or digests.
    pub fn words(&self, command: &[&str], gateway: &str, vllm: &str) -> Vec<String> {
        let digest = |name: &str| if name.starts_with("sha256:") { name } else { self.engine.digest(name) }.to_owned();
        let images = ["gateway", "vllm"].into_iter().zip([gateway, vllm]);
        let flags = images.flat_map(|(service, name)| ["--digest".to_owned(), format!("{service}={}", digest(name))]);
        command.iter().map(|&word| word.to_owned()).chain(flags).collect()
    }

    /// Runs `deployer up --yes` with these images.
    pub fn up(&self, gateway: &str, vllm: &str) -> CommandOutput {
        let words = self.words(&["up", "--yes"], gateway, vllm);
        self.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.laptop.run(arguments)
    }

    pub fn container(&self, service: &str) -> Container {
        self.engine.container(service).unwrap_or_else(|| panic!("{service} has no container"))
    }

    /// Returns how many model downloads are running.
    pub fn downloads(&self) -> usize {
        let filter = ["ps", "--quiet", "--filter", "label=com.docker.compose.oneoff=True"];
        self.engine.docker(&filter).lines().count()
    }

    /// Sends a note from a new thread and returns when the model server has it.
    pub fn note_under_way(&self, seconds: u32) -> thread::JoinHandle<(u16, String)> {
        let held = || self.engine.docker(&["logs", &self.container("vllm").id]).matches("holds a note").count();
        let (before, port) = (held(), self.port);
        let running = thread::spawn(move || note(port, seconds));
        until("the model server has the note", || held() > before);
        running
    }

    /// Starts a command and lets it run.
    pub fn start(&self, arguments: &[String]) -> Child {
        self.laptop.start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Asserts that release `number` is current and that this gateway image answers a note.
    #[track_caller]
    pub fn serves(&self, number: u32, gateway: &str) {
        let found = self.container("gateway");
        assert!(found.image.ends_with(self.engine.digest(gateway)), "{found:?} is not {gateway}");
        assert_eq!((found.state.as_str(), found.health.as_str()), ("running", "healthy"));
        let (status, body) = note(self.port, 0);
        assert!(status == 200 && body.contains("doxorubicin"), "{status} {body}");
        let current = fs::read_link(self.laptop.emulator.host.at("root/current")).unwrap();
        assert_eq!(current, Path::new(&format!("releases/{number}")));
    }
}

/// Sends a note that the model server holds for this many seconds. Returns the status and the body of the answer.
pub fn note(port: u16, seconds: u32) -> (u16, String) {
    let text = format!("Stage IIIB invasive ductal carcinoma, given doxorubicin. hold {seconds} s");
    let body = json!({"text": text}).to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /api/v1/extract HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}")).parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
