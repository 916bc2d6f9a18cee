"""config/compose.scans.yml: the OCR server beside the service, out of everybody's reach but the gateway's. Here it is read."""

import os
import pathlib
import re
import subprocess

import stack
import yaml

FILE = yaml.safe_load(stack.text("config/compose.scans.yml"))
OCR = FILE["services"]["ocr"]


def test_it_adds_one_service_and_a_way_to_it():
    assert sorted(FILE["services"]) == ["gateway", "gateway-cpu", "ocr"]
    assert "ocr" not in stack.compose()["services"] and "scans" not in stack.compose()["networks"]
    for name in ["gateway", "gateway-cpu"]:
        assert FILE["services"][name] == {"networks": ["scans"], "environment": {"GATEWAY_SCAN__URL": "http://ocr:8090"}}
    assert FILE["networks"] == {"scans": {"internal": True}} and OCR["networks"] == ["scans"] and "ports" not in OCR
    assert OCR["profiles"] == ["ocr"] and OCR["image"].startswith("${OCR_IMAGE:?")


def test_the_server_is_hardened():
    assert OCR["read_only"] and OCR["user"] == "65532:65532" and OCR["cap_drop"] == ["ALL"] and OCR["init"]
    assert OCR["security_opt"] == ["no-new-privileges:true"] and "cap_add" not in OCR
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "env_file", "build", "volumes", "environment"} & set(OCR)
    assert all("noexec" in mount and "size=" in mount for mount in OCR["tmpfs"])
    limits = OCR["deploy"]["resources"]["limits"]
    assert limits["memory"] and limits["pids"] and limits["cpus"]
    assert set(OCR["logging"]["options"]) == {"max-size", "max-file"}


def test_image_and_compose_file_start_the_same_command():
    dockerfile = stack.text("gateway/Dockerfile.ocr")
    assert re.search(r'^CMD (\[.*\])$', dockerfile, re.M)[1] == '["ocr", "--listen", "0.0.0.0:8090"]'
    assert OCR["command"] == ["ocr", "--listen", "0.0.0.0:8090"] and OCR["healthcheck"]["test"][1:3] == ["/gateway", "healthcheck"]
    binary = pathlib.Path(os.environ["CARGO_TARGET_DIR"], "debug", "gateway")
    told = subprocess.run([binary, "ocr", "--help"], capture_output=True, text=True, check=True).stdout
    seconds, places, memory = (int(re.search(rf"--{name} .*?\[default: (\d+)\]", told, re.S)[1]) for name in ["seconds", "places", "memory"])
    assert stack.seconds(OCR["stop_grace_period"]) > seconds
    assert OCR["deploy"]["resources"]["limits"]["memory"] == "2g" and places * memory + 512 < 2048
    default = re.search(r"impl Default for ScanSettings .*?timeout: Duration::from_secs\((\d+)\)", stack.text("gateway/src/config/defaults.rs"), re.S)
    assert int(default[1]) > seconds
