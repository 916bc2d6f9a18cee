"""Profile cpu: the gateway alone, as the compose file declares it."""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
from urllib.parse import urlsplit

from project import Process, Project, docker, wait_until


def declared_limits(container, memory, pids):
    process = Process(container)
    assert process.limit("memory", "memory.limit_in_bytes", "memory.max") == str(memory)
    assert process.limit("pids", "pids.max", "pids.max") == str(pids)
    return process


def nothing_but_a_user(process):
    assert process.status["Uid"].split() == ["65532"] * 4 and process.status["Gid"].split() == ["65532"] * 4
    for kind in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
        assert int(process.status[kind], 16) == 0, kind
    assert (process.status["NoNewPrivs"], process.status["Seccomp"]) == ("1", "2")


def test_the_gateway_is_confined_as_declared(cpu):
    container = cpu.container("gateway-cpu")
    assert container["State"]["Health"]["Status"] == "healthy"
    process = declared_limits(container, 1 << 30, 256)
    nothing_but_a_user(process)
    quota, period = process.limit("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0], 100_000
    assert int(quota) == 2 * period
    assert "ro" in process.mount_options("/")
    for file in ["/config/gateway.toml", "/config/keys.txt"]:
        assert "ro" in process.mount_options(file)
    assert container["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}}
    assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_key_opens_notes_and_metrics(cpu):
    answer = cpu.extract("Stage IV melanoma of the skin, treated with nivolumab.")
    assert answer.status_code == 200 and answer.json()["treatment"] == "nivolumab"
    assert cpu.extract(key="wrong").status_code == 401
    assert cpu.get("/health/ready").status_code == 200, "it needs no key"
    assert cpu.get("/metrics").status_code == 401
    metrics = cpu.get("/metrics", cpu.key)
    assert metrics.status_code == 200 and "# TYPE " in metrics.text


def test_the_audit_survives_a_new_container(cpu, tmp_path):
    def lines():
        docker("cp", f"{cpu.container('gateway-cpu')['Id']}:/var/lib/gateway/audit.jsonl", str(tmp_path / "audit"))
        return (tmp_path / "audit").read_text().splitlines()

    assert cpu.extract("Stage II breast cancer.").status_code == 200
    wait_until(lines, what="a line of the audit")
    before, old = lines(), cpu.container("gateway-cpu")["Id"]
    cpu.compose("up", "--detach", "--wait", "--force-recreate", "gateway-cpu")
    assert cpu.container("gateway-cpu")["Id"] != old and lines()[: len(before)] == before
    assert cpu.extract("Stage III breast cancer.").status_code == 200
    wait_until(lambda: len(lines()) > len(before), what="a line after the first run's")


def test_the_health_check_within_the_container_tells_how_busy_it_is_without_a_key(cpu):
    told = docker("exec", cpu.container("gateway-cpu")["Id"], "/gateway", "healthcheck", "--format", "json").stdout
    assert {"ready", "idle_seconds", "in_flight", "queued"} <= json.loads(told).keys(), told


def test_its_own_health_checks_are_not_in_the_log(cpu):
    def checks():
        return cpu.container("gateway-cpu")["State"]["Health"]["Log"][-1]["Start"]

    last, lines = checks(), cpu.logs("gateway-cpu").count("/health/ready")
    wait_until(lambda: checks() != last, 30, "the next check")
    assert cpu.logs("gateway-cpu").count("/health/ready") == lines
    assert cpu.get("/health/ready").status_code == 200
    assert cpu.logs("gateway-cpu").count("/health/ready") == lines + 1, "what others ask is in the log"


def test_batches_that_do_not_end_leave_the_container_its_memory(cpu):
    """Sixteen of 64 MiB once took a container of 1 GiB with them, and everybody's notes."""

    def held():
        text = cpu.get("/metrics", cpu.key).text
        return int(re.search(r"^gateway_memory_held_bytes (\d+)$", text, re.M).group(1))

    before = cpu.container("gateway-cpu")["RestartCount"]
    assert "gateway_memory_budget_bytes 536870912\n" in cpu.get("/metrics", cpu.key).text, "half of what compose gives it"
    address = urlsplit(cpu.url())
    head = (
        f"POST /api/v1/extract/batch HTTP/1.1\r\nHost: x\r\nX-API-Key: {cpu.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {64 << 20}\r\n\r\n"
    )
    with contextlib.ExitStack() as open_batches:
        for _ in range(16):
            batch = open_batches.enter_context(socket.create_connection((address.hostname, address.port), 10))
            # Who is refused does not take the rest.
            with contextlib.suppress(OSError):
                batch.sendall(head.encode())
                batch.sendall(b" " * (60 << 20))
        assert 128 << 20 < held() <= 256 << 20, "a key has half"
    wait_until(lambda: held() == 0, 20, "all is given back")
    assert cpu.extract().status_code == 200
    assert cpu.container("gateway-cpu")["RestartCount"] == before


def test_new_keys_come_by_a_signal(cpu):
    old, new = cpu.key, cpu.key[::-1]
    cpu.write_keys(new)
    assert cpu.extract(key=old).status_code == 200, "the file alone changes nothing"
    cpu.read_keys_again()
    cpu.key = new
    wait_until(lambda: cpu.extract(key=old).status_code == 401, 10, "the old key is refused")
    assert cpu.extract(key=new).status_code == 200
    # A broken file is refused, and what was there holds.
    (cpu.folder / "keys.txt").write_text("no digest\n")
    cpu.read_keys_again()
    wait_until(lambda: "API keys not reloaded; the old ones stay valid" in cpu.logs("gateway-cpu"), 10, "a word about the broken file")
    assert cpu.extract(key=new).status_code == 200
    cpu.write_keys(new)


def test_a_gateway_that_is_killed_starts_again_after_a_sighup_too(cpu):
    """Sent as config/README.md says: docker takes a signal that it sends itself for a stop by hand."""
    cpu.read_keys_again()
    before = cpu.container("gateway-cpu")
    subprocess.run(["kill", "-KILL", str(before["State"]["Pid"])], check=True)
    after = wait_until(lambda: (now := cpu.container("gateway-cpu"))["RestartCount"] == before["RestartCount"] + 1 and now["State"]["Running"] and now, 30, "started again")
    assert after["Id"] == before["Id"]
    wait_until(lambda: cpu.container("gateway-cpu")["State"]["Health"]["Status"] == "healthy", 30, "healthy again")
    assert cpu.extract().status_code == 200


def test_a_log_is_rotated(tmp_path):
    """The declared size is 10 MB: a smaller one shows that the options arrive."""
    override = {"services": {"gateway-cpu": {"logging": {"options": {"max-size": "4k"}}}}}
    with Project(tmp_path, "log", "cpu", override, RUST_LOG="debug") as stack:
        stack.start()
        file = stack.container("gateway-cpu")["LogPath"]
        # Its folder belongs to root, who runs this.
        wait_until(lambda: stack.extract().status_code == 200 and pathlib.Path(f"{file}.1").exists(), 60, "a second log file")
