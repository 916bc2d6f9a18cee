"""Load on the servers: wrk, and single notes over a raw socket."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import EXTRACT, GOOD_BODY, Command, Server, Tools


@dataclass(frozen=True)
class Load:
    """One run of wrk: its counts and times, and the CPU time and largest PSS of the loaded server."""

    answers: int
    good: int
    seconds: float
    p99_ms: float
    broken: int
    cpu_seconds: float
    peak_pss_mib: float

    @property
    def rate(self) -> float:
        return self.good / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu_seconds * 1e6 / max(self.answers, 1)


def wrk(server: Server, path: str, body: Path, connections: int, seconds: int) -> Load:
    """Loads a server with wrk in one thread, which leaves the other cores to the measured programs."""
    command: Command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        harness.HERE / "post.lua",
    ]
    command += [server.url(path), "--", body]
    before = harness.cpu_seconds(server.pid)
    output, peak = harness.watched(command, body.parent, server, 0.25)
    spent = harness.cpu_seconds(server.pid) - before
    seen = json.loads(output.splitlines()[-1])
    good = seen["answers"] - seen["bad_status"]
    return Load(
        seen["answers"],
        good,
        seen["seconds"],
        seen["p99_ms"],
        seen["broken"],
        spent,
        peak,
    )


@dataclass(frozen=True)
class Bodies:
    """Files with the bodies that wrk posts: a note, and the gateway's completion request for it."""

    note: Path
    completion: Path


def bodies(
    built: Tools, model: Server, gateway: Server, note: str = harness.NOTE
) -> Bodies:
    """Writes both files. The completion request is recorded from the gateway: nginx must pass on the same bytes."""
    name = f"{model.pid}-{len(note)}"
    sent, completion = built.folder / f"note-{name}.json", built.folder / f"completion-{name}.json"
    sent.write_bytes(json.dumps({"text": note}).encode())
    host, port = gateway.address.split(":")
    if not post_once(host, int(port), sent.read_bytes()):
        harness.fail("the gateway does not answer a good note")
    completion.write_text(model.get("/first")[1])
    return Bodies(sent, completion)


def post_once(host: str, port: int, body: bytes = GOOD_BODY) -> bool:
    """Posts one note over a raw socket. Returns false if nothing listens yet or the answer is not 200."""
    head = (
        f"POST {EXTRACT} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    )
    head += f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        with socket.create_connection((host, port), timeout=10) as client:
            client.sendall(head.encode() + body)
            return client.recv(4096).startswith(b"HTTP/1.1 200 ")
    except ConnectionError:
        return False
