"""Two boxes, on one engine: a model server behind its port with a key, and a gateway that asks it beside its own."""

import secrets
import shutil

import pytest
import requests
from project import ROOT, Project, docker, image, wait_until

# The image named in the compose file is on Docker Hub. Two runs on one machine: a port that is free.
OVERRIDE = """services:
  model-port:
    image: ${CADDY_IMAGE}
    ports: !override ["${MODEL_PORT_BIND}:0:8000"]
"""
KEY = secrets.token_hex(32)


def project(folder, name, second_file, **environment):
    stack = Project(folder, name, "gpu", {}, **environment)
    shutil.copy(ROOT / "config" / second_file, folder / "config")
    stack.files.append(f"config/{second_file}")
    return stack


@pytest.fixture(scope="module")
def model_box(tmp_path_factory):
    """Box one: model server and its port, no gateway. Its address is one that containers of other projects reach."""
    folder = tmp_path_factory.mktemp("model-box")
    [network] = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").stdout.split()
    key = folder / "key"
    key.touch(0o600)
    key.write_text(f'header Authorization "Bearer {KEY}"\n')
    with project(folder / "stack", "model-box", "compose.model-port.yml", MODEL_PORT_BIND=network, MODEL_SERVER_KEY_FILE=str(key), CADDY_IMAGE=image("caddy")) as stack:
        caddyfile = stack.folder / "config" / "Caddyfile.model-port"
        shutil.copy(ROOT / "config" / "Caddyfile.model-port", caddyfile)
        caddyfile.chmod(0o644)
        (stack.folder / "model-port.yml").write_text(OVERRIDE)
        stack.files.append("model-port.yml")
        stack.download()
        stack.up("--wait", "--wait-timeout", "120", "vllm", "model-port")
        yield stack


def address(model_box):
    return model_box.url(service="model-port", port=8000)


def test_no_path_of_the_model_server_is_open_without_the_key(model_box):
    for path in ["/v1/models", "/health", "/metrics", "/invocations", "/"]:
        for headers in [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY}, {"X-API-Key": KEY}]:
            assert requests.get(address(model_box) + path, headers=headers, timeout=10).status_code == 401, (path, headers)
    assert requests.get(address(model_box) + "/v1/models", headers={"Authorization": f"Bearer {KEY}"}, timeout=10).status_code == 200
    assert model_box.container("gateway") is None
    assert list(model_box.container("vllm")["NetworkSettings"]["Networks"]) == [f"{model_box.name}_model"], "it stays in its closed network"
    assert KEY not in model_box.logs("model-port") + str(model_box.container("model-port"))


def test_a_key_file_that_is_empty_opens_nothing(model_box):
    empty = model_box.folder / "empty"
    empty.touch(0o600)
    done = model_box.compose("run", "--rm", "--no-deps", "model-port", check=False, env={"MODEL_SERVER_KEY_FILE": str(empty)})
    assert done.returncode == 1 and "model_server_key" in done.stderr


def states(stack):
    health = stack.get("/health?verbose=1", stack.key).json()
    return sorted(replica["state"] for replica in health["replicas"])


def gateway_box(folder, name, model_box, key):
    file = folder / "key"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(key)
    file.chmod(0o644)
    return project(folder / "stack", name, "compose.other-boxes.yml", OTHER_MODEL_SERVERS=address(model_box), ALL_MODEL_PLACES="64", MODEL_SERVER_KEY_FILE=str(file))


def test_a_gateway_reads_with_the_model_of_another_box(model_box, tmp_path):
    with gateway_box(tmp_path, "gateway-box", model_box, KEY) as stack:
        stack.start()
        wait_until(lambda: states(stack) == ["ready", "ready"], 60, "both model servers are ready")
        # Its own model server goes: the other box reads on.
        stack.compose("stop", "vllm")
        wait_until(lambda: states(stack) == ["ready", "unreachable"], 60, "its own is away")
        answer = stack.extract()
        assert answer.status_code == 200 and answer.json()["treatment"] == "osimertinib"


def test_with_a_wrong_key_the_other_box_gets_no_note(model_box, tmp_path):
    with gateway_box(tmp_path, "gateway-wrong", model_box, "f0" * 32) as stack:
        stack.start()
        wait_until(lambda: "ready" in states(stack), 60, "its own model server is ready")
        for _ in range(5):
            assert stack.extract().status_code == 200
        assert states(stack).count("ready") == 1, "a server that refuses the key is never ready"
