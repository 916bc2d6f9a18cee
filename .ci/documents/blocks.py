"""Finds the fenced blocks of a document, and which of them are commands with what they print.

The first word of a fence is its language. `sh`, `console`, `python` and `ts` are commands; `console` has a `$ ` before each
command and what it prints below. Another block that follows a command, with no heading between, is what the command prints,
unless the fence has the word `example`. With the word `unordered` its lines may come in any order.
"""

import re
from dataclasses import dataclass

COMMANDS = {"sh", "console", "python", "ts"}
# The SQL of a document is run by the step slurm.
OTHERS = {"json", "text", "csv", "toml", "yaml", "sql"}

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")


@dataclass
class Block:
    document: str
    line: int
    language: str
    words: list[str]
    text: str
    output: "Block | None" = None

    @property
    def place(self):
        return f"{self.document}:{self.line}"

    @property
    def is_command(self):
        return self.language in COMMANDS


def blocks_of(document, text):
    """Returns the blocks, and the faults of their fences."""
    blocks, faults, command, open_block, indent = [], [], None, None, ""
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if open_block is not None:
            if fence and fence["info"] == "" and fence["indent"] == indent:
                open_block = None
            else:
                open_block.text += line.removeprefix(indent) + "\n"
        elif fence:
            language, *words = fence["info"].split() or [""]
            open_block, indent = Block(document, number, language, words, ""), fence["indent"]
            if language not in COMMANDS | OTHERS:
                faults.append(f"{open_block.place}: a block needs a language: {', '.join(sorted(COMMANDS | OTHERS))}")
            if open_block.is_command:
                command = open_block
            elif command is not None and "example" not in words:
                command.output, command = open_block, None
            blocks.append(open_block)
        elif line.startswith("#"):
            command = None
    if open_block is not None:
        faults.append(f"{open_block.place}: the block does not end")
    return blocks, faults


@dataclass
class Command:
    """One thing to run, with the block or the lines that it must print; None if that does not matter."""

    block: Block
    language: str
    text: str
    expected: str | None
    as_json: bool = False
    unordered: bool = False


def commands_of(block):
    """Returns what is run of a block: a `console` has one command for each `$ `."""
    if block.language != "console":
        command = Command(block, block.language, block.text, None)
        if output := block.output:
            command.expected, command.as_json = output.text, output.language == "json"
            command.unordered = "unordered" in output.words
        return [command]
    commands = []
    for line in block.text.splitlines(keepends=True):
        if line.startswith("$ "):
            commands.append(Command(block, "sh", line[2:], "", unordered="unordered" in block.words))
        elif commands:
            commands[-1].expected += line
    return commands
