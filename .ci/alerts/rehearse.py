"""The rehearsal: rehearse.py FOLDER

The built gateway before two model servers, Prometheus and Alertmanager, all real and on free ports, with the rules of
config/alerts.yaml at 60 times their pace and with config/prometheus.yml and config/alertmanager.yml, of which addresses and
waits alone are changed. The gateway has keys, and Prometheus one that opens the metrics. Model servers are killed; webhook and mail must arrive at local sinks, and the notice that all is well after they return.
"""

import json
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time

from parts import GATEWAY, NOTE, ROOT, Gateway, ModelServer, Process, fetch, until
from sinks import Sinks

FASTER = 60


def free_port():
    """A port that was free a moment ago: neither program says which one it took for port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rules(folder):
    command = [GATEWAY, "alerts", "--thresholds", ROOT / "config" / "alerts.toml", "--faster", str(FASTER)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (folder / "alerts.yaml").write_text(text)


def changed(text, name, changes):
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text)
        assert count, f"config/{name} has no {pattern}"
    return text


def alertmanager_settings(folder, sinks):
    """The tracked settings with the sinks' addresses, and shorter waits."""
    text = (ROOT / "config" / "alertmanager.yml").read_text()
    mail, hook = sinks.mail.server_address[1], sinks.webhook.server_address[1]
    text = changed(text, "alertmanager.yml", [
        (r"smtp_smarthost: .*", f"smtp_smarthost: 127.0.0.1:{mail}\n  smtp_require_tls: false\n  smtp_hello: box.example.org"),
        (r" *smtp_auth_.*\n", ""),
        (r"group_wait: 30s", "group_wait: 1s"),
        (r"group_wait: 10s", "group_wait: 1s"),
        (r"group_interval: 5m", "group_interval: 2s"),
        (r"# (webhook_configs:)", r"\1"),
        (r'#   - \{url: "[^"]*"', f'  - {{url: "http://127.0.0.1:{hook}/"'),
    ])
    (folder / "alertmanager.yml").write_text(text)


def prometheus_settings(folder, gateway, alertmanager):
    """The tracked settings with the job of the gateway alone, and shorter waits."""
    text = (ROOT / "config" / "prometheus.yml").read_text()
    text = text[: text.index("  - job_name: node")]
    text = changed(text, "prometheus.yml", [
        (r"(scrape|evaluation)_interval: 15s", r"\1_interval: 1s"),
        (r"/etc/prometheus/alerts.yaml", "alerts.yaml"),
        (r"/run/secrets/metrics_key", "metrics-key"),
        (r"alertmanager:9093", f"127.0.0.1:{alertmanager}"),
        (r'targets: \["gateway:8080"\]', f'targets: ["{gateway}"]'),
    ])
    (folder / "prometheus.yml").write_text(text)


def keys(folder):
    """A key for notes and one for metrics, made as the chapter on monitoring says; returns that for notes."""
    lines = []
    for name, words in [("reader", ""), ("prometheus", " metrics")]:
        key = secrets.token_urlsafe(32)
        (folder / f"{name}-key").write_text(key + "\n")
        line = subprocess.run([GATEWAY, "hash-key", name], input=key, check=True, capture_output=True, text=True).stdout
        lines.append(line.strip() + words + "\n")
    (folder / "prometheus-key").rename(folder / "metrics-key")
    (folder / "keys.txt").write_text("".join(lines))
    return (folder / "reader-key").read_text().strip()


class Rehearsal:
    def __init__(self, folder, gateway, sinks, prometheus):
        self.folder, self.gateway, self.sinks, self.prometheus = folder, gateway, sinks, prometheus
        self.began, self.events, self.over, self.statuses = time.monotonic(), [], threading.Event(), []

    def note(self, what):
        self.events.append((time.monotonic(), what))

    def traffic(self):
        """A note a fifth of a second, as long as the rehearsal lasts."""
        while not self.over.wait(0.2):
            self.statuses.append(self.gateway.read(1)[0])

    def firing(self):
        status, text = fetch(f"http://127.0.0.1:{self.prometheus}/api/v1/alerts")
        alerts = json.loads(text)["data"]["alerts"] if status == 200 else []
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def arrives(self, status, name):
        for way in ("webhook", "mail"):
            until(f"{way}: {name} is {status}", lambda way=way: self.sinks.has(way, status, name), 90)

    def timeline(self):
        arrivals = [(at, f"{way}: {status}: {', '.join(names)}") for at, way, status, names, _ in self.sinks.arrived]
        return [f"{at - self.began:6.1f} s  {what}" for at, what in sorted(self.events + arrivals)]

    def play(self, servers):
        """Kills one model server, then both, and lets them return."""
        ports = [server.port for server in servers]
        threading.Thread(target=self.traffic, daemon=True).start()
        until("Prometheus has seen some notes", lambda: len(self.statuses) > 25)
        time.sleep(5)  # a quiet service must stay quiet
        assert not self.firing() and not self.sinks.arrived, self.firing()
        servers[0].kill()
        self.note("one of two model servers is killed")
        until("one is unreachable", lambda: self.gateway.state("unreachable") == 1)
        before = len(self.statuses)
        until("more notes are read", lambda: len(self.statuses) > before + 20)
        assert set(self.statuses[before + 1:]) == {200}, "the other one reads the notes"
        assert "NoModelServerReady" not in self.firing()
        servers[1].kill()
        self.note("the other one is killed")
        self.arrives("firing", "NoModelServerReady")
        until("notes fail", lambda: "NotesFailingFast" in self.firing(), 90)
        time.sleep(3)  # as long as a message would take
        assert not any("NotesFailingFast" in names for _, _, _, names, _ in self.sinks.arrived), "the cause holds it back"
        self.note("NotesFailingFast fires, and its cause holds its message back")
        servers[:] = [ModelServer(port) for port in ports]
        self.note("both model servers return")
        self.arrives("resolved", "NoModelServerReady")
        until("no page fires", lambda: not self.firing() & {"NoModelServerReady", "NotesFailingFast"}, 120)
        self.note("nothing that pages fires")
        self.over.set()
        for *_, text in self.sinks.arrived:
            assert NOTE not in text and "adenocarcinoma" not in text, "a message has words of a note"


def main(folder):
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    rules(folder)
    reader = keys(folder)
    prometheus, manager = free_port(), free_port()
    servers = [ModelServer(), ModelServer()]
    try:
        with Sinks() as sinks, Gateway(folder / "gateway", [server.url for server in servers], reader, AUTH_KEYS_FILE=str(folder / "keys.txt")) as gateway:
            until("both are ready", lambda: gateway.state("ready") == 2)
            alertmanager_settings(folder, sinks)
            prometheus_settings(folder, gateway.address, manager)
            subprocess.run(["amtool", "check-config", folder / "alertmanager.yml"], check=True)
            subprocess.run(["promtool", "check", "config", folder / "prometheus.yml"], check=True)
            binary = shutil.which("prometheus-alertmanager") or "alertmanager"
            manage = [binary, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am", f"--web.listen-address=127.0.0.1:{manager}", "--cluster.listen-address="]
            watch = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{prometheus}"]
            with Process(manage, log=folder / "alertmanager.log") as alertmanager, Process(watch, log=folder / "prometheus.log") as watcher:
                until("Alertmanager is ready", lambda: fetch(f"http://127.0.0.1:{manager}/-/ready")[0] == 200)
                until("Prometheus is ready", lambda: fetch(f"http://127.0.0.1:{prometheus}/-/ready")[0] == 200)
                rehearsal = Rehearsal(folder, gateway, sinks, prometheus)
                try:
                    rehearsal.play(servers)
                except BaseException:
                    print("\n".join(rehearsal.timeline()), rehearsal.firing(), alertmanager.said()[-3000:], watcher.said()[-2000:], sep="\n")
                    raise
                print("\n".join(rehearsal.timeline()))
    finally:
        for server in servers:
            server.kill()


if __name__ == "__main__":
    main(sys.argv[1])
