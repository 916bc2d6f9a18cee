"""The part `worst` of `run`: the cost of the worst notes, and the effect of the worst callers on other callers."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import attacks
import harness
from harness import EXTRACT, GOOD_BODY, Server, Tools
from rows import Row, row

COSTLY_CALLERS = 8
UNFINISHED_BATCHES = 64
# Seconds between two requests.
PAUSE = 0.01


@contextmanager
def rules_gateway(built: Tools, name: str) -> Iterator[Server]:
    """Starts a gateway with the rules engine and waits until it is ready."""
    port = harness.free_port()
    command: harness.Command = [
        built.gateway,
        "--engine",
        "rules",
        "--listen",
        f"127.0.0.1:{port}",
    ]
    log = built.folder / f"{name}.log"
    with harness.running(command, built.folder, harness.environment(), log) as process:
        server = Server(process.pid, f"127.0.0.1:{port}")

        def answers() -> bool:
            try:
                return server.get("/health/ready")[0] == 200
            except OSError:
                return False

        harness.until(answers, 10, "the gateway is ready")
        yield server


async def connect(server: Server) -> tuple[attacks.Reader, attacks.Writer]:
    host, port = server.address.split(":")
    return await asyncio.open_connection(host, int(port))


async def status_for(server: Server, request: bytes) -> int:
    reader, writer = await connect(server)
    try:
        writer.write(request)
        return await attacks.status_of(reader)
    finally:
        writer.close()


async def costly(server: Server, end: float, notes: list[bytes]) -> int:
    done = 0
    while time.monotonic() < end:
        body = notes[done % len(notes)]
        status = await status_for(
            server, attacks.head(EXTRACT, "json", len(body)) + body
        )
        if status != 200:
            harness.fail(f"the gateway answered a worst-case note with {status}")
        done += 1
    return done


async def health_beside(server: Server, seconds: float) -> tuple[list[float], int]:
    """Requests /health/live while callers send the worst notes. Returns its milliseconds and the number of notes."""
    end = time.monotonic() + seconds
    notes = attacks.worst_notes()
    callers = [
        asyncio.create_task(costly(server, end, notes[n % len(notes) :] + notes))
        for n in range(COSTLY_CALLERS)
    ]
    request = b"GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n"
    times = []
    while time.monotonic() < end:
        begun = time.perf_counter()
        if await status_for(server, request) != 200:
            harness.fail("/health/live did not answer 200")
        times.append((time.perf_counter() - begun) * 1e3)
        await asyncio.sleep(PAUSE)
    return times, sum(await asyncio.gather(*callers))


async def beside_unfinished_batches(server: Server) -> tuple[float, int, int]:
    """Sends good notes beside unfinished batches. Returns the largest PSS, the notes answered 200, and all notes."""

    async def send_batch() -> None:
        # A refused batch ends here. The others stay open until they are cancelled.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            reader, writer = await connect(server)
            try:
                await attacks.unfinished_batch(reader, writer)
                await asyncio.sleep(60)
            finally:
                writer.close()

    batches = [asyncio.create_task(send_batch()) for _ in range(UNFINISHED_BATCHES)]
    peak, good, notes = 0.0, 0, 0
    end = time.monotonic() + 8
    request = attacks.head(EXTRACT, "json", len(GOOD_BODY)) + GOOD_BODY
    while time.monotonic() < end:
        good += await status_for(server, request) == 200
        notes += 1
        peak = max(peak, await asyncio.to_thread(harness.pss_mib, server.pid))
        await asyncio.sleep(PAUSE)
    for task in batches:
        task.cancel()
    await asyncio.gather(*batches, return_exceptions=True)
    return peak, good, notes


def costs(built: Tools) -> list[float]:
    """Returns the milliseconds of each of the 40 worst notes of 100,000 characters."""
    printed = subprocess.run(
        [built.worst_notes], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    # Each line has four times, the growth, and the name of the note.
    table = [line.split(maxsplit=5) for line in printed.splitlines()[3:]]
    return [float(cells[3]) for cells in table]


def silent_nulls() -> float | None:
    """Returns 0 if the tests of the table of model answers pass, otherwise None."""
    command = ["cargo", "test", "--quiet", "-p", "gateway", "--test", "http"]
    tests = subprocess.run(
        [*command, "empty_records"],
        check=False,
        cwd=harness.REPOSITORY,
        stdout=subprocess.DEVNULL,
    )
    return 0 if tests.returncode == 0 else None


def worst_part(built: Tools, args: argparse.Namespace) -> list[Row]:
    found = []
    with rules_gateway(built, "costly") as server:
        times, read = asyncio.run(health_beside(server, args.seconds))
        p99 = statistics.quantiles(times, n=100)[98]
        what = f"/health/live p99 beside {COSTLY_CALLERS} callers of worst notes"
        found.append(row(what, p99, "ms", "< 50", f"{len(times)} looks, {read} notes"))
    with rules_gateway(built, "unfinished") as server:
        idle = harness.pss_mib(server.pid)
        peak, good, notes = asyncio.run(beside_unfinished_batches(server))
        what = f"largest PSS under {UNFINISHED_BATCHES} unfinished batches"
        budget = server.metrics()["gateway_memory_budget_bytes"] / (1 << 20)
        note = f"limits.memory is {budget:.0f} MiB"
        found.append(row(what, peak, "MiB", f"<= {budget + 64:.0f}", note))
        found.append(
            row("notes of others meanwhile, answered 200", good / notes, "", "== 1", f"{notes} notes")
        )
        with contextlib.suppress(TimeoutError):
            harness.until(
                lambda: harness.pss_mib(server.pid) < idle + 10, 15, "memory went back"
            )
        after = harness.pss_mib(server.pid)
        found.append(row("PSS before them", idle, "MiB"))
        found.append(row("PSS after them", after, "MiB", f"< {idle + 10:.0f}"))
    found.append(
        row("the 40 worst notes of 100,000 characters, CPU", max(costs(built)), "ms", "< 150")
    )
    found.append(row("silent nulls in the table of shapes", silent_nulls(), "", "== 0"))
    return found

