"""The two images as their Dockerfiles make them, run as they are shipped."""

import json

import pytest
from project import docker, image

HARDENED = ["--rm", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--network", "none"]
NOT_PINNED = "meta-llama/Llama-3.1-8B has no pinned revision: set VLLM_BASE_REVISION"


@pytest.mark.parametrize(
    ("name", "entry", "command", "port"),
    [("gateway", ["/gateway"], ["serve"], "8080/tcp"), ("vllm", ["/opt/extraction-gateway/vllm-entrypoint.sh"], ["serve"], "8000/tcp")],
)
def test_an_image_says_how_it_runs(name, entry, command, port):
    made = json.loads(docker("image", "inspect", image(name)).stdout)[0]["Config"]
    assert (made["User"], made["Entrypoint"], made["Cmd"], list(made["ExposedPorts"])) == ("65532:65532", entry, command, [port])
    assert made["Labels"]["org.opencontainers.image.revision"] == image(name)
    assert not [variable for variable in made["Env"] if "TOKEN" in variable or "KEY" in variable]
    assert ("Healthcheck" in made) == (name == "gateway")


def test_the_gateway_holds_two_files():
    container = docker("create", image("gateway")).stdout.strip()
    files = docker("export", container, encoding="latin-1").stdout
    docker("rm", container)
    assert "gateway" in files and "bin/sh" not in files


def test_the_gateway_runs_as_it_is_shipped():
    assert "settings are good" in docker("run", *HARDENED, "--env", "GATEWAY_AUTH=off", image("gateway"), "check-config").stdout
    nobody = docker("run", *HARDENED, image("gateway"), "healthcheck", check=False)
    assert nobody.returncode == 1, "a health check that cannot fail would be none"


@pytest.mark.parametrize("user", ["65532:65532", "0:0"])
@pytest.mark.parametrize("command", ["serve", "download", "cached"])
def test_the_model_servers_entry_point_runs(user, command):
    """Root without capabilities is what `download` runs as: it may pass no closed folder either."""
    done = docker("run", *HARDENED, "--user", user, image("vllm"), command, check=False)
    assert done.returncode == 1 and NOT_PINNED in done.stderr


def test_the_model_servers_files_are_readable_and_nobodys():
    command = "cd /opt/extraction-gateway && stat -c '%a %u %n' . * /models /home/model-server/.cache && ! touch x 2>/dev/null && cat chat_template.jinja"
    done = docker("run", *HARDENED, "--entrypoint", "bash", image("vllm"), "-c", command)
    listed = done.stdout.splitlines()[:5]
    assert listed == ["755 0 .", "444 0 chat_template.jinja", "555 0 vllm-entrypoint.sh", "755 0 /models", "755 65532 /home/model-server/.cache"]
