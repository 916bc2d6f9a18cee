"""The compose files for several boxes: the model server's port has a key and no default address. Here they are read; the
step `engine` starts them."""

import os
import pathlib
import subprocess

import pytest
import stack
import yaml

PORT = yaml.safe_load(stack.text("config/compose.model-port.yml"))
OTHERS = yaml.safe_load(stack.text("config/compose.other-boxes.yml"))
GIVEN = {"MODEL_PORT_BIND": "10.0.1.12", "OTHER_MODEL_SERVERS": "http://10.0.1.12:8000", "ALL_MODEL_PLACES": "64", "MODEL_SERVER_KEY_FILE": "key"}


def test_the_port_is_another_service_and_changes_none():
    [(name, service)] = PORT["services"].items()
    assert name == "model-port" and name not in stack.compose()["services"]
    assert service["image"] == stack.compose()["services"]["caddy"]["image"]
    assert service["cap_drop"] == ["ALL"] and service["cap_add"] == ["NET_BIND_SERVICE"] and service["read_only"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["restart"] == "unless-stopped"
    assert set(service["networks"]) == set(stack.compose()["networks"])
    assert service["deploy"]["resources"]["limits"]["memory"] and service["logging"]["options"]["max-size"]
    # A note under way ends with the model server.
    assert stack.seconds(service["stop_grace_period"]) == stack.seconds(stack.compose()["services"]["vllm"]["stop_grace_period"])
    for mount in service["volumes"]:
        assert mount["read_only"] and not mount["bind"]["create_host_path"] and (stack.ROOT / mount["source"]).is_file()


def test_no_address_and_no_key_is_a_default():
    for variable, value in [
        ("MODEL_PORT_BIND", PORT["services"]["model-port"]["ports"][0]),
        ("MODEL_SERVER_KEY_FILE", PORT["secrets"]["model_server_key"]["file"]),
        ("OTHER_MODEL_SERVERS", OTHERS["services"]["gateway"]["environment"]["VLLM_BASE_URL"]),
        ("ALL_MODEL_PLACES", OTHERS["services"]["gateway"]["environment"]["GATEWAY_ADMISSION__IN_FLIGHT"]),
        ("MODEL_SERVER_KEY_FILE", OTHERS["services"]["gateway"]["volumes"][0]["source"]),
    ]:
        with pytest.raises(ValueError, match=f"{variable}: set {variable} in .env"):
            stack.resolved(value, {})
        assert GIVEN[variable] in stack.resolved(value, GIVEN)
        assert stack.resolved(value, GIVEN) != "0.0.0.0:8000:8000"


def test_the_gateway_gets_an_address_and_a_key_and_nothing_else():
    assert list(OTHERS) == ["services"] and list(OTHERS["services"]) == ["gateway"]
    gateway = OTHERS["services"]["gateway"]
    assert set(gateway) == {"environment", "volumes"}
    assert set(gateway["environment"]) == {"VLLM_BASE_URL", "GATEWAY_VLLM__API_KEY_FILE", "GATEWAY_ADMISSION__IN_FLIGHT"}
    [mount] = gateway["volumes"]
    assert mount["read_only"] and mount["target"] == gateway["environment"]["GATEWAY_VLLM__API_KEY_FILE"]


def test_the_gateway_takes_these_settings(tmp_path):
    """The built binary reads what the container of both files would give it."""
    variables = stack.compose()["services"]["gateway"]["environment"] | OTHERS["services"]["gateway"]["environment"]
    given = {key: stack.resolved(value, stack.template_environment() | GIVEN) for key, value in variables.items()}
    for name, content in {"GATEWAY_AUTH_KEYS_FILE": "someone " + "0" * 64 + "\n", "GATEWAY_VLLM__API_KEY_FILE": "0123456789abcdef"}.items():
        (tmp_path / name).write_text(content)
        given[name] = str(tmp_path / name)
    given["GATEWAY_AUDIT__PATH"] = str(tmp_path / "audit.jsonl")
    binary = pathlib.Path(os.environ["CARGO_TARGET_DIR"], "debug", "gateway")
    done = subprocess.run([binary, "check-config", "--config", stack.ROOT / "config" / "gateway.toml"], env=given, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "settings are good: listen 0.0.0.0:8080, engine vllm, 2 model servers, auth keys\n"


def test_every_variable_is_in_the_table():
    used = {match[1] for file in ["model-port", "other-boxes"] for match in stack.VARIABLE.finditer(stack.text(f"config/compose.{file}.yml"))}
    section = stack.text("config/README.md").split("## Several boxes")[1].split("\n## ")[0]
    assert used == set(GIVEN) and all(f"`{name}`" in section for name in used)
