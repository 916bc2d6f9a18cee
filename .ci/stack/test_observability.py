"""config/compose.observability.yml: what watches the service, beside it and without a hold on it. Here it is read."""

import json
import re

import pytest
import stack
import yaml

FILE = yaml.safe_load(stack.text("config/compose.observability.yml"))
ALL = FILE["services"]
PROMETHEUS = yaml.safe_load(stack.text("config/prometheus.yml"))


def test_it_adds_services_and_changes_none():
    assert sorted(ALL) == ["alertmanager", "blackbox-exporter", "dcgm-exporter", "node-exporter", "prometheus"]
    assert not set(ALL) & set(stack.compose()["services"])
    assert not set(FILE["volumes"]) & set(stack.compose()["volumes"])
    assert "networks" not in FILE


@pytest.mark.parametrize("name", ALL)
def test_every_watcher_is_hardened(name):
    service = ALL[name]
    assert service["profiles"] == ["observability"] and service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["SYS_ADMIN"] if name == "dcgm-exporter" else [])
    assert service["read_only"] is (name != "dcgm-exporter")
    assert not {"privileged", "network_mode", "pid", "ipc", "devices", "user", "env_file", "build"} & set(service)
    limits = service["deploy"]["resources"]["limits"]
    assert limits["memory"] and limits["pids"]
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    for mount in service.get("volumes", []):
        assert mount["type"] == "volume" or (mount["read_only"] and not mount["bind"]["create_host_path"])
        if mount["source"].startswith("./"):
            assert (stack.ROOT / mount["source"]).is_file()
        elif mount["type"] == "volume":
            assert mount["source"] in FILE["volumes"]


@pytest.mark.parametrize("name", ALL)
def test_an_image_is_a_digest(name):
    assert re.fullmatch(r"[a-z./0-9-]+:v?[0-9][\w.-]+@sha256:[0-9a-f]{64}", ALL[name]["image"])


def test_no_watcher_reaches_the_model_server_and_no_port_leaves_the_machine():
    assert all(service["networks"] == ["outside"] for service in ALL.values())
    ports = [port for service in ALL.values() for port in service.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_each_job_asks_a_service_that_is_there():
    everything = set(ALL) | set(stack.compose()["services"])
    for job in PROMETHEUS["scrape_configs"]:
        if job["job_name"] == "certificate":
            targets = [rule["replacement"] for rule in job["relabel_configs"] if "replacement" in rule]
        else:
            targets = [target for config in job["static_configs"] for target in config["targets"]]
        assert targets and all(target.split(":")[0] in everything for target in targets), job
    managers = PROMETHEUS["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert managers == ["alertmanager:9093"]


def test_each_secret_is_a_file_of_one_service():
    given = {name: service.get("secrets", []) for name, service in ALL.items() if service.get("secrets")}
    assert given == {"prometheus": ["metrics_key"], "alertmanager": ["smtp_password"]}
    assert PROMETHEUS["scrape_configs"][0]["authorization"] == {"credentials_file": "/run/secrets/metrics_key"}
    assert "smtp_auth_password_file: /run/secrets/smtp_password" in stack.text("config/alertmanager.yml")
    assert "smtp_auth_password:" not in stack.text("config/alertmanager.yml")


def test_prometheus_keeps_more_than_the_longest_window():
    days = re.search(r"retention.time=(\d+)d", " ".join(ALL["prometheus"]["command"]))[1]
    windows = re.findall(r"\[(\d+)d\]", stack.text("config/alerts.yaml"))
    assert windows and int(days) > max(map(int, windows))


def test_pages_and_tickets_reach_a_receiver():
    settings = yaml.safe_load(stack.text("config/alertmanager.yml"))
    receivers = {receiver["name"]: receiver for receiver in settings["receivers"]}
    routes = [settings["route"], *settings["route"]["routes"]]
    assert all(receivers[route["receiver"]]["email_configs"][0]["send_resolved"] for route in routes)
    alerts = [rule["alert"] for rule in yaml.safe_load(stack.text("config/alerts.yaml"))["groups"][0]["rules"]]
    for rule in settings["inhibit_rules"]:
        for matchers in (rule["source_matchers"], rule["target_matchers"]):
            named = re.findall(r"\w+", matchers[0].split("=~")[1])
            assert named and set(named) <= set(alerts), named


def test_the_dashboard_is_laid_out():
    dashboard = json.loads(stack.text("config/grafana-dashboard.json"))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(places) == len(set(places)) and len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in dashboard["panels"])
