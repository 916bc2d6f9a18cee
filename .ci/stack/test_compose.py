"""docker-compose.yml keeps its promises. Here it is read; the step `engine` starts it."""

import json
import os
import pathlib
import re
import subprocess
import tomllib

import pytest
import stack
import yaml

ALL = stack.compose()["services"]
OURS = ["gateway", "vllm", "download", "gateway-cpu"]
TLS = ["gateway", "vllm", "caddy"]
SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|CREDENTIAL|ACCESS_KEY|API_KEY$")


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [(["gpu"], ["gateway", "vllm"]), (["tls"], TLS), (["gpu", "tls"], TLS), (["cpu"], ["gateway-cpu"]), (["download"], ["download"]), ([], [])],
)
def test_a_profile_starts_what_it_says(profiles, expected):
    started = stack.services(*profiles)
    assert sorted(started) == sorted(expected)
    for service in started.values():
        assert set(service.get("depends_on", {})) <= set(started)


@pytest.mark.parametrize("name", ALL)
def test_every_service_is_hardened(name):
    service = ALL[name]
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "userns_mode", "env_file", "build"} & set(service)
    limits = service["deploy"]["resources"]["limits"]
    assert limits["memory"] and limits["pids"]
    assert service["logging"]["driver"] == "json-file"
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    assert service["restart"] == ("no" if name == "download" else "unless-stopped")
    assert all(mount["source"] != "/var/run/docker.sock" for mount in service["volumes"])
    for mount in service["volumes"]:
        assert mount["type"] == "volume" or (mount["read_only"] and not mount["bind"]["create_host_path"])


def test_only_what_faces_outside_has_a_port():
    published = {name for name, service in ALL.items() if "ports" in service}
    assert published == {"gateway", "gateway-cpu", "caddy"}
    assert ALL["gateway"]["ports"] == ["${GATEWAY_BIND:-0.0.0.0}:${GATEWAY_PORT:-8080}:8080"]


def test_the_model_server_is_reached_by_the_gateway_alone():
    assert ALL["vllm"]["networks"] == ["model"]
    assert stack.compose()["networks"]["model"] == {"internal": True}
    assert [name for name, service in ALL.items() if "model" in service["networks"]] == ["gateway", "vllm"]
    assert ALL["vllm"]["environment"]["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize("name", ["gateway", "gateway-cpu"])
def test_the_gateway_is_a_user_who_writes_to_one_volume(name):
    service = ALL[name]
    assert service["user"] == "65532:65532" and service["read_only"]
    state = {"type": "volume", "source": "gateway-state", "target": "/var/lib/gateway"}
    assert [mount for mount in service["volumes"] if not mount.get("read_only")] == [state]
    assert service["environment"]["GATEWAY_AUDIT__PATH"] == state["target"] + "/audit.jsonl"
    # Without the folder in the image the volume would be root's.
    assert "\nCOPY --from=build --chown=65532:65532 /image/state/ /var/lib/\n" in stack.text("gateway/Dockerfile")
    assert service["healthcheck"]["test"] == ["CMD", "/gateway", "healthcheck"]


def test_the_gateway_does_not_wait_for_the_model():
    assert ALL["gateway"]["depends_on"] == {"vllm": {"condition": "service_started", "restart": True}}
    assert ALL["gateway"]["environment"]["GATEWAY_ENGINE"] == "${GATEWAY_ENGINE:-vllm}"
    for name in ["gateway", "vllm"]:
        # A load is assumed to take 6 minutes on an L4. It was not measured there, so the limit is five times as long.
        assert stack.seconds(ALL[name]["healthcheck"]["start_period"]) >= 1800


def test_the_gpu_is_reserved():
    devices = ALL["vllm"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]


def test_without_a_gpu_the_reservation_goes_and_nothing_else():
    written = stack.text("config/compose.no-gpu.yml")
    assert yaml.safe_load(written.replace("!reset null", "gone")) == {
        "services": {"vllm": {"deploy": {"resources": {"reservations": "gone"}}}}
    }
    assert list(ALL["vllm"]["deploy"]["resources"]["reservations"]) == ["devices"]


def test_a_stop_waits_longer_than_the_drain():
    default = re.search(r"drain: Duration::from_secs\((\d+)\)", stack.text("gateway/src/config/defaults.rs"))
    settings = tomllib.loads(stack.text("config/gateway.toml"))
    drain = stack.seconds(settings.get("admission", {}).get("drain", default[1] + "s"))
    for name in ["gateway", "gateway-cpu", "caddy", "vllm"]:
        assert stack.seconds(ALL[name]["stop_grace_period"]) > drain


@pytest.mark.parametrize("name", ALL)
def test_an_image_is_a_digest(name):
    image = ALL[name]["image"]
    if name in OURS:
        variable = "VLLM_IMAGE" if name in ["vllm", "download"] else "GATEWAY_IMAGE"
        with pytest.raises(ValueError, match=f"{variable}: set {variable}"):
            stack.resolved(image, {})
        assert stack.resolved(image, {variable: "IMAGE"}) == "IMAGE"
    else:
        assert re.fullmatch(r"[a-z/]+:[0-9][\w.-]+@sha256:[0-9a-f]{64}", image)


def test_no_secret_but_in_the_download():
    for name, service in ALL.items():
        assert service.get("secrets", []) == (["hf_token"] if name == "download" else [])
        for variable in service["environment"]:
            assert not SECRET_NAME.search(variable) or variable == "HF_TOKEN_PATH"
    assert ALL["download"]["environment"]["HF_TOKEN_PATH"] == "/run/secrets/hf_token"
    assert stack.compose()["secrets"] == {"hf_token": {"file": "${HF_TOKEN_FILE:-/dev/null}"}}
    for path in ["docker-compose.yml", "config/compose.env", "Dockerfile.vllm", "gateway/Dockerfile"]:
        assert not re.search(r"hf_[A-Za-z0-9]{8}|AKIA[A-Z0-9]{8}|BEGIN .*PRIVATE", stack.text(path))


def test_the_template_and_the_table_name_every_variable():
    used = {match[1] for match in stack.VARIABLE.finditer(stack.text("docker-compose.yml"))}
    compose_itself = {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"}
    assert set(stack.template_environment()) == used | compose_itself
    table = set(re.findall(r"`([A-Z_]{4,})`", "".join(re.findall(r"^\| `[A-Z].*$", stack.text("config/README.md"), re.M))))
    assert table >= used | compose_itself
    for name, value in stack.template_environment().items():
        defaults = {match[3] for match in stack.VARIABLE.finditer(stack.text("docker-compose.yml")) if match[1] == name and match[2] == ":-"}
        assert not value or name == "VLLM_BASE_REVISION" or name in compose_itself or defaults == {value}, name


def test_what_is_mounted_is_there():
    for service in ALL.values():
        for mount in service["volumes"]:
            if mount["source"].startswith("./"):
                assert (stack.ROOT / mount["source"]).is_file()
            elif mount["type"] == "volume":
                assert mount["source"] in stack.compose()["volumes"]


@pytest.mark.parametrize(("name", "summary"), [("gateway", "engine vllm, 1 model server, auth keys"), ("gateway-cpu", "engine rules, auth keys")])
def test_the_gateway_takes_these_settings(name, summary, tmp_path):
    """The built binary reads what the container would give it."""
    keys = tmp_path / "keys.txt"
    keys.write_text("someone " + "0" * 64 + "\n")
    given = {key: stack.resolved(value, stack.template_environment()) for key, value in ALL[name]["environment"].items()}
    given |= {"GATEWAY_AUTH_KEYS_FILE": str(keys), "GATEWAY_AUDIT__PATH": str(tmp_path / "audit.jsonl")}
    binary = pathlib.Path(os.environ["CARGO_TARGET_DIR"], "debug", "gateway")
    command = [binary, "check-config", "--config", stack.ROOT / "config" / "gateway.toml"]
    done = subprocess.run(command, env=given, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), json.dumps(given)
    assert done.stdout == f"settings are good: listen 0.0.0.0:8080, {summary}\n"
