"""Profile gpu with a stand-in for the command `vllm` under the real entry point: what the compose file declares holds."""

import time

from project import NOTE, Project, docker, image, wait_until
from test_cpu import declared_limits, nothing_but_a_user

# Tries a TCP connection to each HOST:PORT and prints `HOST:PORT word`: open, or why not.
CONNECT = """
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
        print(target, "open")
    except OSError as error:
        print(target, type(error).__name__, error)
"""


def tried(output):
    return dict(line.split(" ", 1) for line in output.splitlines())


def test_clients_are_told_while_the_model_loads(tmp_path):
    """The sequence: not ready with a word, as long as the model loads; then ready."""
    control = tmp_path / "control"
    control.mkdir()
    (control / "loading").touch()
    override = {"services": {"vllm": {"environment": {"STAND_IN_LOADING": "/control/loading"}, "volumes": [f"{control}:/control:ro"]}}}
    with Project(tmp_path / "stack", "loading", "gpu", override) as stack:
        stack.download()
        stack.up()
        wait_until(lambda: answers(stack), 30, "the gateway listens")
        for answer in [stack.get("/health/ready"), stack.extract()]:
            assert answer.status_code == 503 and answer.headers["Content-Type"].startswith("application/")
        assert stack.extract().json()["code"] == "model_loading" and int(stack.extract().headers["Retry-After"]) > 0
        for service in ["gateway", "vllm"]:
            assert stack.container(service)["State"]["Health"]["Status"] == "starting"
        # How it ends says nothing: compose 2.40 ends with 0 at its time limit on a busy machine.
        stack.up("--wait", "--wait-timeout", "5", check=False)
        assert stack.container("gateway")["State"]["Health"]["Status"] == "starting"
        assert stack.get("/health/ready").status_code == 503
        (control / "loading").unlink()
        stack.up("--wait", "--wait-timeout", "60")
        assert stack.get("/health/ready").status_code == 200 and stack.extract().json()["treatment"] == "osimertinib"
        assert stack.compose("exec", "gateway", "/gateway", "selftest", check=False).returncode == 0


def answers(stack):
    try:
        return stack.get("/health").status_code
    except OSError:
        return False


def test_the_model_server_is_confined_as_declared(gpu):
    container = gpu.container("vllm")
    process = declared_limits(container, 28 << 30, 4096)
    nothing_but_a_user(process)
    assert "ro" in process.mount_options("/models") and "rw" in process.mount_options("/home/model-server/.cache")
    assert container["HostConfig"]["ShmSize"] == 2 << 30 and "size=2097152k" in shm_of(process)
    writes = "touch /home/model-server/.cache/x && ! touch /models/x 2>/dev/null && ! touch /opt/extraction-gateway/x 2>/dev/null && rm /home/model-server/.cache/x"
    gpu.compose("exec", "vllm", "bash", "-c", writes)


def shm_of(process):
    with open(f"/proc/{process.pid}/mountinfo") as lines:
        return next(line for line in lines if line.split()[4] == "/dev/shm")


def test_the_gateway_is_confined_beside_the_model_too(gpu):
    nothing_but_a_user(declared_limits(gpu.container("gateway"), 1 << 30, 256))


def test_the_model_server_has_no_way_out(gpu):
    gateway = gpu.container("gateway")["NetworkSettings"]["Networks"]
    outside = gateway[f"{gpu.name}_outside"]
    bridge = gpu.container("vllm")["NetworkSettings"]["Networks"][f"{gpu.name}_model"]
    targets = [f"{outside['Gateway']}:{gpu.url().rsplit(':', 1)[1]}", f"{outside['IPAddress']}:8080", "1.1.1.1:443", "huggingface.co:443", "gateway:8080"]
    output = gpu.compose("exec", "vllm", "python3", "-c", CONNECT, *targets).stdout
    seen = tried(output)
    assert seen.pop("gateway:8080") == "open", "the test can tell"
    assert all("open" not in word for word in seen.values()) and len(seen) == 4, seen
    assert "Network is unreachable" in seen["1.1.1.1:443"] and "gaierror" in seen["huggingface.co:443"]
    assert not bridge["Gateway"] or "open" not in gpu.compose("exec", "vllm", "python3", "-c", CONNECT, f"{bridge['Gateway']}:22").stdout


def test_nobody_but_the_gateway_reaches_the_model_server(gpu):
    """A container beside the gateway on `outside`, and one on the engine's own bridge."""
    vllm = gpu.container("vllm")
    assert not vllm["NetworkSettings"]["Ports"].get("8000/tcp"), "no port of the host"
    address = vllm["NetworkSettings"]["Networks"][f"{gpu.name}_model"]["IPAddress"]
    for network in [f"{gpu.name}_outside", "bridge"]:
        done = docker("run", "--rm", "--network", network, image("debian"), "python3", "-c", CONNECT, f"{address}:8000", "vllm:8000")
        seen = tried(done.stdout)
        assert len(seen) == 2 and all("open" not in word for word in seen.values()), (network, seen)


def test_the_model_server_out_of_memory_starts_again(tmp_path):
    override = {"services": {"vllm": {"deploy": {"resources": {"limits": {"memory": "64m"}}}, "memswap_limit": "64m"}}}
    with Project(tmp_path, "memory", "gpu", override) as stack:
        stack.start()
        first = stack.container("vllm")
        answer = stack.extract(f"{NOTE} fill memory")
        assert answer.status_code in {502, 503} and answer.json()["code"].startswith("upstream"), answer.text
        wait_until(lambda: {"oom", "die"} <= events(first), 20, "the engine tells that it was out of memory")
        wait_until(lambda: stack.container("vllm")["RestartCount"] >= 1 and stack.container("vllm")["State"]["Running"], 60, "started again")
        wait_until(lambda: stack.get("/health/ready").status_code == 200, 30, "ready again")
        assert stack.extract().status_code == 200


def events(container):
    """What has happened to it since it was started."""
    until = f"{time.time():.3f}"
    done = docker("events", "--since", container["State"]["StartedAt"], "--until", until, "--filter", f"container={container['Id']}", "--format", "{{.Action}}")
    return set(done.stdout.split())


def test_a_model_server_that_crashes_says_why(tmp_path):
    override = {"services": {"vllm": {"environment": {"STAND_IN": "crash"}}}}
    with Project(tmp_path, "crash", "gpu", override) as stack:
        stack.download()
        stack.up()
        wait_until(lambda: stack.container("vllm")["RestartCount"] >= 2, 30, "a crash loop")
        assert "No available memory for the cache blocks" in stack.logs("vllm")
        assert stack.get("/health/ready").status_code == 503 and stack.container("gateway")["RestartCount"] == 0


def test_a_download_that_fails_names_the_reason(tmp_path):
    with Project(tmp_path, "download", "gpu") as stack:
        assert stack.compose("run", "--rm", "download", "cached", check=False).returncode == 1
        done = stack.compose("run", "--rm", "download", check=False)
        assert done.returncode == 1 and "meta-llama/Llama-3.1-8B was not downloaded. Does the token's account have access" in done.stderr
        stack.download()
        assert stack.compose("run", "--rm", "download", "cached").returncode == 0
        # Nothing was served before, and the model server says so.
        other = stack.compose("run", "--rm", "--env", f"VLLM_ADAPTER_REVISION={'c' * 40}", "vllm", check=False)
        assert other.returncode == 1 and "run the service `download` first" in other.stderr
