"""The instructions of a request, counted by the script `instructions`, as rows of the report."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import harness
from harness import Command, Tools
from rows import Row, row

# The functions of each profile.
FUNCTIONS = 12


def instructions_part(built: Tools, args: argparse.Namespace) -> list[Row]:
    """Counts with a build that has names, or with `--gateway`. The profile goes to a file, which `run` prints last."""
    command: Command = [harness.HERE / "instructions", "--format", "json", "--profile", str(FUNCTIONS)]
    if args.gateway:
        command += ["--gateway", args.gateway]
    if args.quick:
        command += ["--requests", "5", "--characters", "330", "--characters", "1450"]
    counted = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if counted.returncode != 0:
        harness.fail("the instructions could not be counted")
    report = json.loads(counted.stdout)
    profile(built).write_text(report["text"])
    found: list[Row] = []
    for one in report["totals"]:
        values = f", {one['values']} values" if one["values"] else ""
        what = f"instructions, {one['engine']}, {one['characters']:,} characters{values}"
        found.append(row(what, one["instructions"]))
        if one["nginx"]:
            found.append(row(f"{what}, gateway / nginx", one["instructions"] / one["nginx"]))
    return found


def profile(built: Tools) -> Path:
    """Returns the file with the table and the profile of the instructions."""
    return built.folder / "instructions.txt"
