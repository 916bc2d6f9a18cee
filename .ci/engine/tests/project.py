"""A copy of the stack in a folder of its own, under a project name of its own, on the engine that the environment names."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import time

import requests
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
# The GPU's reservation taken out, and nothing else.
NO_GPU = (ROOT / "config" / "compose.no-gpu.yml").read_text()
NOTE = "Stage IV lung adenocarcinoma, EGFR exon 19 deletion, treated with osimertinib."
PREFIX = "stack-check-"


def run(*command, check=True, timeout=180, **more):
    """Runs a command; its stdout and stderr are text. A status that is not 0 fails the test, unless check is false."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **more)
    if check:
        assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def docker(*arguments, **more):
    return run("docker", *arguments, **more)


def image(name):
    """The name of an image that the step made: gateway, gateway-other, vllm, vllm-other, caddy, debian."""
    return os.environ["IMAGE_" + name.upper().replace("-", "_")]


def wait_until(holds, seconds=60, what="what was waited for"):
    """The first true value of `holds()`; fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


class Project:
    """`with Project(folder, "name", "gpu") as stack:`; what it made is gone at the end."""

    def __init__(self, folder, name, profile, override=None, **environment):
        self.folder, self.name, self.profile = folder, PREFIX + name, profile
        self.gateway = "gateway-cpu" if profile == "cpu" else "gateway"
        self.key = secrets.token_urlsafe(32)
        (folder / "config").mkdir(parents=True)
        shutil.copy(ROOT / "docker-compose.yml", folder)
        for file in ["gateway.toml", "Caddyfile", "compose.no-gpu.yml"]:
            shutil.copy(ROOT / "config" / file, folder / "config")
            (folder / "config" / file).chmod(0o644)
        (folder / "override.yml").write_text(yaml.safe_dump(override or {"services": {}}))
        self.files = ["docker-compose.yml", *(["override.yml"] if override else []), *(["config/compose.no-gpu.yml"] if profile != "cpu" else [])]
        self.environment = {
            "COMPOSE_PROJECT_NAME": self.name, "COMPOSE_PROFILES": profile, "GATEWAY_IMAGE": image("gateway"),
            "VLLM_IMAGE": image("vllm"), "GATEWAY_BIND": "127.0.0.1", "GATEWAY_PORT": "0", "VLLM_ADAPTER_REVISION": "a" * 40,
        } | environment
        self.write_environment()
        self.write_keys(self.key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "0", check=False)

    def write_environment(self, **changes):
        self.environment |= changes
        lines = [line for line in (ROOT / "config" / "compose.env").read_text().splitlines() if line and not line.startswith("#")]
        template = dict(line.split("=", 1) for line in lines)
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in (template | self.environment).items()))

    def write_keys(self, *keys):
        """Into the file that is mounted, as config/README.md says."""
        lines = [docker("run", "--rm", "--interactive", image("gateway"), "hash-key", f"key{n}", input=key).stdout for n, key in enumerate(keys)]
        file = self.folder / "keys.txt"
        file.write_text("".join(lines))
        file.chmod(0o644)

    def read_keys_again(self):
        os.kill(self.container(self.gateway)["State"]["Pid"], signal.SIGHUP)

    def compose(self, *arguments, **more):
        files = [word for file in self.files for word in ("--file", file)]
        clean = {name: value for name, value in os.environ.items() if not re.match("COMPOSE_|VLLM_|GATEWAY_", name)}
        return docker("compose", *files, *arguments, cwd=self.folder, env=clean | more.pop("env", {}), **more)

    def up(self, *more, **options):
        return self.compose("up", "--detach", *more, **options)

    def download(self):
        """Fills the model cache as an operator does it."""
        token = self.folder / "token"
        token.touch(0o600)
        token.write_text("hf_" + "x" * 30)
        self.compose("run", "--rm", "download", env={"HF_TOKEN_FILE": str(token)})

    def start(self):
        """Model cache and `up --wait`: the stack serves."""
        if self.profile != "cpu":
            self.download()
        self.up("--wait", "--wait-timeout", "120")

    def container(self, service):
        """The container's description, also of one that does not run; None without one."""
        found = self.compose("ps", "--all", "--quiet", service, check=False).stdout.split()
        return json.loads(docker("inspect", found[0]).stdout)[0] if found else None

    def logs(self, service):
        return self.compose("logs", "--no-log-prefix", service).stdout

    def url(self, path="", service=None, port=8080):
        # Another container has another port of the host: asked each time.
        return f"http://{self.compose('port', service or self.gateway, str(port)).stdout.strip()}{path}"

    def get(self, path, key=None, **more):
        headers = {"X-API-Key": key} if key else {}
        return requests.get(self.url(path), headers=headers, timeout=10, **more)

    def extract(self, text=NOTE, key=None, timeout=60):
        return requests.post(self.url("/api/v1/extract"), json={"text": text}, headers={"X-API-Key": key or self.key}, timeout=timeout)

    @contextlib.contextmanager
    def note_under_way(self, seconds=20):
        """A note that the model server answers after so long; yields a future of the answer when it has got it."""
        held = self.logs("vllm").count("holds a note")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self.extract, f"{NOTE} hold {seconds} s")
            wait_until(lambda: self.logs("vllm").count("holds a note") > held or answer.done(), 20, "the note at the model server")
            yield answer


class Process:
    """What the kernel says of a container's first process."""

    def __init__(self, container):
        self.pid = container["State"]["Pid"]
        self.status = dict(re.findall(r"^(\w+):\s+(.*)$", pathlib.Path(f"/proc/{self.pid}/status").read_text(), re.M))

    def limit(self, controller, v1, v2):
        """The value of a file of its control group, of version 1 or 2."""
        groups = [line.split(":", 2) for line in pathlib.Path(f"/proc/{self.pid}/cgroup").read_text().splitlines()]
        for _, controllers, path in groups:
            if controller in controllers.split(","):
                return pathlib.Path(f"/sys/fs/cgroup/{controller}{path}/{v1}").read_text().strip()
        return pathlib.Path(f"/sys/fs/cgroup{groups[-1][2]}/{v2}").read_text().strip()

    def mount_options(self, target):
        """`ro` or `rw` and more, of what is mounted there last."""
        lines = pathlib.Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()
        return [line.split()[5].split(",") for line in lines if line.split()[4] == target][-1]
