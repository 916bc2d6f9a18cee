"""Shared by the load scripts: builds, starts and stops the servers, and reads their figures."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Template
from typing import NoReturn, TypeAlias, TypeVar

T = TypeVar("T")
Command: TypeAlias = list[str | Path]
HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
EXTRACT = "/api/v1/extract"
COMPLETIONS = "/v1/chat/completions"
EXAMPLES = ("fake_upstream", "open_loop", "worst_notes")
# A made-up note, about as long as the adapter's training notes. It contains every value that the fake upstream
# answers, so that the gateway grounds all of them.
NOTE = (
    "64-year-old woman, never smoker, with stage IV lung adenocarcinoma metastatic to liver and bone. "
    "NGS showed EGFR L858R; PD-L1 60% by IHC; ALK and ROS1 negative. She was started on osimertinib 80 mg daily and "
    "tolerated it well apart from grade 1 rash. CT after three cycles showed a partial response of the primary and of "
    "the hepatic lesions. Brain MRI without metastases. Plan: continue osimertinib and repeat imaging in eight weeks."
)
GOOD_BODY = json.dumps({"text": NOTE}).encode()


def fail(message: str, status: int = 1) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(status)


def need(*commands: str) -> None:
    """Exits with status 2 if a tool is missing."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        fail(f"missing: {', '.join(missing)}; apt-get install -y wrk nginx-light valgrind", 2)


def until(condition: Callable[[], T], seconds: float, what: str) -> T:
    """Polls every 5 ms until the condition returns a true value. Raises TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.005)
    return value


def stop_on_sigterm() -> None:
    """Makes SIGTERM end the script as Ctrl-C does, so that it stops its servers."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@dataclass(frozen=True)
class Tools:
    """The built programs, and the folder for all files of one run."""

    gateway: Path
    fake_upstream: Path
    open_loop: Path
    worst_notes: Path
    folder: Path


@contextmanager
def tools(program: Path | None = None, profile: str = "release") -> Iterator[Tools]:
    """Builds the programs and copies them into a temporary folder. `program`, if given, replaces the built gateway.

    The scripts measure the copies: another build into the same target folder cannot replace them, and no other
    process maps their pages, which would lower the proportional set size (PSS).
    """
    command = ["cargo", "build", "--profile", profile, "-p", "gateway", "--bin", "gateway"]
    command += [word for example in EXAMPLES for word in ("--example", example)]
    command += ["--message-format", "json-render-diagnostics"]
    built = subprocess.run(
        command, check=False, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    if built.returncode != 0:
        fail("the build failed")
    artifacts = [json.loads(line) for line in built.stdout.splitlines()]
    programs = [
        artifact["executable"] for artifact in artifacts if artifact.get("executable")
    ]
    with tempfile.TemporaryDirectory(prefix="gateway-load-") as name:
        folder = Path(name)
        # If this script runs as root, nginx's workers run as another user.
        folder.chmod(0o755)
        copies = {
            Path(program).name: Path(shutil.copy2(program, folder))
            for program in programs
        }
        if program:
            copies["gateway"] = Path(shutil.copy2(program, folder / "measured"))
        yield Tools(
            copies["gateway"],
            *(copies[example] for example in EXAMPLES),
            folder,
        )


def environment(**settings: str) -> dict[str, str]:
    """Returns this environment plus `settings`, without variables that would change the gateway's settings."""
    foreign = ("GATEWAY_", "VLLM_", "CORS_", "RUST_LOG", "TOKIO_", "MALLOC_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign)
    }
    return kept | settings


@contextmanager
def running(
    command: Command, folder: Path, env: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[str]]:
    """Starts a process and stops it at the end, after an error too. Its own session keeps Ctrl-C away from it."""
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            # This kills nginx's workers too. The gateway may still be draining a hung call.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout:
            process.stdout.close()


def watched(
    command: Command, folder: Path, server: Server, seconds: float
) -> tuple[str, float]:
    """Runs a load generator to its end. Returns its output and the largest PSS of the server meanwhile."""
    name, peak = Path(command[0]).name, 0.0
    log = folder / f"{name}.log"
    with running(command, folder, environment(), log) as process:
        while process.poll() is None:
            peak = max(peak, pss_mib(server.pid))
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        output = process.stdout.read() if process.stdout else ""
    if process.returncode != 0:
        fail(f"{name} failed:\n{log.read_text()}{output}")
    return output, peak


@dataclass(frozen=True)
class Server:
    """A running server: the id of its first process, and its address."""

    pid: int
    address: str

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def stats(self) -> dict[str, int]:
        """Returns the counts of the fake upstream."""
        counts: dict[str, int] = json.loads(self.get("/stats")[1])
        return counts

    def metrics(self) -> dict[str, float]:
        """Returns the gateway's metrics. The keys are names with labels, as `/metrics` writes them."""
        lines = [
            line
            for line in self.get("/metrics")[1].splitlines()
            if line and not line.startswith("#")
        ]
        return {
            name: float(value)
            for name, value in (line.rsplit(" ", 1) for line in lines)
        }

    def extracted(self) -> int:
        """Returns the number of notes that the gateway has answered with 200."""
        return int(
            self.metrics().get(
                f'gateway_http_requests_total{{route="{EXTRACT}",status="200",code="ok"}}',
                0,
            )
        )

    def at_rest(self) -> bool:
        metrics = self.metrics()
        return (
            metrics["gateway_upstream_in_flight"] == 0
            and metrics["gateway_queue_depth"] == 0
        )


@contextmanager
def upstream(built: Tools, name: str, *flags: str) -> Iterator[Server]:
    command: Command = [built.fake_upstream, "--listen", "127.0.0.1:0", *flags]
    with running(
        command, built.folder, environment(), built.folder / f"{name}.log"
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("listening "):
            fail(f"the fake upstream did not start: {line}")
        yield Server(process.pid, line.split()[1])


@contextmanager
def gateway(
    built: Tools, name: str, model: Server, **settings: str
) -> Iterator[Server]:
    """Starts a gateway in front of `model` and waits until it is ready. Its log goes to a file, as in service."""
    log = built.folder / f"{name}.log"
    env = environment(
        GATEWAY_LISTEN="127.0.0.1:0", VLLM_BASE_URL=model.url(""), **settings
    )

    def address() -> str | None:
        if process.poll() is not None:
            fail(f"the gateway did not start:\n{log.read_text()}")
        with log.open() as lines:
            parsed = [json.loads(line) for line in lines if line.endswith("\n")]
        return next(
            (line["address"] for line in parsed if line["message"] == "listening"), None
        )

    with running([built.gateway], built.folder, env, log) as process:
        server = Server(
            process.pid, until(address, 10, "the gateway logs its address") or ""
        )
        until(lambda: server.get("/health/ready")[0] == 200, 10, "the gateway is ready")
        yield server


@contextmanager
def nginx(built: Tools, name: str, model: Server, workers: int) -> Iterator[Server]:
    """Starts nginx in front of `model`. It cannot listen on port 0, so it tries another port if a free one is taken."""
    folder = built.folder / name
    folder.mkdir()
    with ExitStack() as stack:
        for _ in range(5):
            port = free_port()
            values = {
                "workers": workers,
                "folder": folder,
                "upstream": model.address,
                "port": port,
            }
            text = Template((HERE / "nginx.conf").read_text()).substitute(values)
            (folder / "nginx.conf").write_text(text)
            command: Command = [
                "nginx",
                "-e",
                folder / "nginx.log",
                "-c",
                folder / "nginx.conf",
            ]
            process = stack.enter_context(
                running(command, folder, environment(), folder / "stderr.log")
            )
            # nginx writes this file once it listens. Connecting proves nothing, as another program may have the port.
            listens = folder / "nginx.pid"
            until(partial(exists_or_ended, listens, process), 10, "nginx listens")
            if process.poll() is None:
                yield Server(process.pid, f"127.0.0.1:{port}")
                return
    fail(f"nginx did not start:\n{(folder / 'stderr.log').read_text()}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def exists_or_ended(file: Path, process: subprocess.Popen[str]) -> bool:
    return file.exists() or process.poll() is not None


def pss_mib(pid: int) -> float:
    """Returns the proportional set size in MiB: private pages, and shared pages divided among their processes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("Pss:"))
    return int(kilobytes) / 1024


def fds(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def cpu_seconds(pid: int) -> float:
    """Returns the user and system CPU time of a process and its running children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    # The name is in parentheses and may contain blanks. utime and stime are the 12th and 13th words after it.
    words = [
        Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        for one in (str(pid), *children)
    ]
    return sum(int(each[11]) + int(each[12]) for each in words) / os.sysconf(
        "SC_CLK_TCK"
    )


def table(rows: list[list[str]]) -> str:
    """Returns the rows as text in aligned columns. The first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])
