"""Runs what the documents say and compares it with what they print: .ci/steps/57-documents.

    check.py GATEWAY ADDRESS MODULES

GATEWAY is the built program, ADDRESS where one of it listens, MODULES a node_modules/ with TypeScript. What is not run
stands in not-run.toml, each with its reason.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from blocks import blocks_of, commands_of
from compare import difference
from links import broken_links
from run import copy_of_repository, run

HERE = Path(__file__).parent
LINES_OF_THE_README = 120


def main(gateway, address, modules):
    repository = Path.cwd()
    documents = ["README.md", "gateway/README.md", *sorted(str(path) for path in Path("gateway/docs").glob("*.md"))]
    not_run = tomllib.loads((HERE / "not-run.toml").read_text())["block"]
    faults, ran, compared = [], 0, 0

    for document in documents:
        blocks, found = blocks_of(document, (repository / document).read_text())
        faults += found
        chosen = [block for block in blocks if block.is_command and not left_out(block, not_run)]
        commands = [command for block in chosen for command in commands_of(block)]
        with tempfile.TemporaryDirectory() as folder:
            outcomes = run_in(Path(folder), repository, commands, gateway, address, modules) if commands else []
        for command, outcome in zip(commands, outcomes, strict=True):
            faults += fault_of(command, outcome)
        ran += len(commands)
        compared += sum(command.expected is not None for command in commands)

    faults += [f"not-run.toml: {one['document']} has no block that begins {one['begins']!r}" for one in not_run if not one.get("seen")]
    tracked = subprocess.run(["git", "ls-files", "*.md"], check=True, capture_output=True, text=True).stdout.split()
    for document in tracked:
        faults += broken_links(repository, document)
    lines = len((repository / "README.md").read_text().splitlines())
    if lines > LINES_OF_THE_README:
        faults.append(f"README.md has {lines} lines; it may have {LINES_OF_THE_README}")

    if faults:
        sys.exit("\n\n".join(faults))
    print(f"{ran} commands of {len(documents)} documents ran, {compared} print what stands there, {len(not_run)} are not run")


def left_out(block, not_run):
    """Whether the list names this block."""
    for one in not_run:
        if one["document"] == block.document and block.text.startswith(one["begins"]):
            one["seen"] = True
            return True
    return False


def run_in(folder, repository, commands, gateway, address, modules):
    clone, programs = folder / "clone", folder / "bin"
    copy_of_repository(repository, clone)
    programs.mkdir()
    (programs / "gateway").symlink_to(Path(gateway).resolve())
    # As `npm install` leaves it in a clone.
    (clone / "node_modules").symlink_to(Path(modules).resolve())
    tsc = f"{clone}/node_modules/.bin/tsc --strict --module nodenext --target es2022 --typeRoots {clone}/node_modules/@types --types node"
    return run(commands, folder, f"{programs}:{os.environ['PATH']}", address, tsc)


def fault_of(command, outcome):
    place = f"{command.block.place}: `{command.text.splitlines()[0]}`"
    if outcome is None:
        return [f"{place} was not reached"]
    printed, code = outcome
    if code is None:
        return [f"{place} did not end:\n{printed}"]
    # What a command prints shows whether it failed as it should.
    if command.expected is None:
        return [f"{place} ended with {code}:\n{printed}"] if code else []
    found = difference(command.expected, printed, command.as_json, command.unordered)
    return [f"{place} prints something else:\n{found}"] if found else []


if __name__ == "__main__":
    main(*sys.argv[1:])
