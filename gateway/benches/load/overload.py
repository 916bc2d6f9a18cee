"""The part `overload` of `run`: an open loop sends ten times the capacity of the model server."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import harness
from driving import bodies
from harness import Command, Server, Tools
from rows import Row, row

# Slots of the fake model server and seconds of a completion: its capacity is 160 notes a second.
SLOTS, COMPLETION_SECONDS = 32, 0.2
OVERLOAD_FACTOR = 10


def overload_part(built: Tools, args: argparse.Namespace) -> list[Row]:
    flags = ("--delay-ms", f"{COMPLETION_SECONDS * 1e3:.0f}", "--slots", str(SLOTS))
    with (
        harness.upstream(built, "model-slow", *flags) as model,
        harness.gateway(
            built, "gateway-slow", model, GATEWAY_ADMISSION__IN_FLIGHT=str(SLOTS)
        ) as gateway,
    ):
        files = bodies(built, model, gateway)
        before, calls_before = harness.pss_mib(gateway.pid), model.stats()["calls"]
        seen, peak = open_loop(built, gateway, files.note, args.overload_seconds)
        harness.until(gateway.at_rest, 10, "the gateway is at rest")
        after, calls = (
            harness.pss_mib(gateway.pid),
            model.stats()["calls"] - calls_before,
        )
    return [*overload_rows(seen, calls), *pss_rows(before, peak, after)]


def open_loop(
    built: Tools, gateway: Server, body: Path, seconds: int
) -> tuple[dict[str, Any], float]:
    """Runs the open-loop generator. Returns its report and the largest PSS of the gateway meanwhile."""
    rate = OVERLOAD_FACTOR * SLOTS / COMPLETION_SECONDS
    command: Command = [built.open_loop, "--address", gateway.address, "--body", body]
    command += ["--rate", str(rate), "--seconds", str(seconds)]
    output, peak = harness.watched(command, built.folder, gateway, 0.5)
    return json.loads(output), peak


def overload_rows(seen: dict[str, Any], calls: int) -> list[Row]:
    capacity = SLOTS / COMPLETION_SECONDS
    answered = seen["good"] + seen["probes_good"]
    # The queue cannot be empty before all notes that were unanswered at the end of the burst have had a slot.
    drain = seen["unanswered_at_end"] / capacity
    recovery = (
        None if seen["recovery_s"] is None else max(seen["recovery_s"] - drain, 0.0)
    )
    counted = f"{seen['good']} answered, {seen['refused']} refused"
    drained = f"the first probe answered in 1 s was sent {seen['recovery_s'] or 0:.2f} s after the end; "
    drained += (
        f"{seen['unanswered_at_end']} notes were left then, which take {drain:.2f} s"
    )
    lateness = f"{seen['refused_sent_p99_ms']:.1f} ms from when sent; sent {seen['late_p99_ms']:.1f} ms late (p99)"
    exact = f"{calls} calls, {answered} answers; the generator waited for every answer"
    return [
        row("overload: offered", seen["offered_per_s"], "1/s", note=counted),
        row("overload: goodput", seen["good_per_s"], "1/s"),
        row(
            "overload: goodput of capacity",
            seen["good_per_s"] / capacity * 100,
            "%",
            ">= 97",
        ),
        row(
            "overload: p99 of accepted, from when due",
            (seen["good_p99_ms"] or 0) / 1e3,
            "s",
            "< 55",
        ),
        row(
            "overload: p99 of refusals, from when due",
            seen["refused_p99_ms"],
            "ms",
            "< 10",
            lateness,
        ),
        row(
            "overload: neither 200 nor refused as overloaded",
            seen["other"] + seen["broken"],
            "",
            "== 0",
        ),
        row(
            "overload: recovery after the queue can be empty",
            recovery,
            "s",
            "<= 2",
            drained,
        ),
        row(
            "completion calls a request, exact",
            calls / max(answered, 1),
            "",
            "== 1",
            exact,
        ),
    ]


def pss_rows(before: float, peak: float, after: float) -> list[Row]:
    sizes = {"before": before, "largest during": peak, "after": after}
    return [row(f"overload: PSS {when}", size, "MiB") for when, size in sizes.items()]
