"""The check of the documents finds what it is for: each of its parts is shown a fault."""

import csv
import json
from pathlib import Path

import pytest

from blocks import blocks_of, commands_of
from compare import difference
from links import broken_links
from run import outcomes, run

DOCUMENT = """\
```sh
echo one
```

It prints:

```text unordered
one
```

```console
$ echo two
two
$ true
```

```sh
echo three
```

# Another heading

```json
{}
```
"""


def test_blocks_and_what_they_print():
    blocks, faults = blocks_of("d.md", DOCUMENT)
    assert not faults
    commands = [command for block in blocks if block.is_command for command in commands_of(block)]
    assert [(command.text, command.expected, command.unordered) for command in commands] == [
        ("echo one\n", "one\n", True), ("echo two\n", "two\n", False), ("true\n", "", False), ("echo three\n", None, False),
    ]


@pytest.mark.parametrize("document, fault", [
    ("```\nls\n```\n", "needs a language"), ("```bash\nls\n```\n", "needs a language"), ("```sh\nls\n", "does not end"),
])
def test_a_block_without_a_language_or_an_end_is_a_fault(document, fault):
    assert fault in blocks_of("d.md", document)[1][0]


def test_a_block_for_example_is_not_compared():
    blocks, _ = blocks_of("d.md", "```sh\nls\n```\n```json example\n{}\n```\n")
    assert blocks[0].output is None


def test_an_indented_block_loses_its_indent():
    blocks, _ = blocks_of("d.md", "- item\n  ```sh\n  cat <<E\n  a\n  E\n  ```\n")
    assert blocks[0].text == "cat <<E\na\nE\n"


SAME = [
    ("a\nb\n", "a\nb\n\n", {}),
    ("a ... z\n", "a b c z\n", {}),
    ("a\n...\nz\n", "a\nb\nc\nz\n", {}),
    ("a\n...\nz\n", "a\nz\n", {}),
    ("3 notes in 0.0 s\n280 notes/s, 0.03 MB/s of note text\n", "3 notes in 12.5 s\n1,280 notes/s, 10.3 MB/s of note text\n", {}),
    ("b\na\n", "a\nb\n", {"unordered": True}),
    ("3 notes in 0.1 s\nb\n", "b\n3 notes in 9.1 s\n", {"unordered": True}),
    ('{"a": [1, ...],\n ...}', '{"b":2,"a":[1,2,3]}', {"as_json": True}),
    ('{"a": ...}', '{"a":{"b":[]}}', {"as_json": True}),
    ('[..., 3]', '[1,2,3]', {"as_json": True}),
    ('{"id": "a...z"}', '{"id":"abcz"}', {"as_json": True}),
    ('{"a": 1}\n{"b": 2}', '{"a":1}\n{"b":2}\n', {"as_json": True}),
    ('{"b": 2}\n{"a": 1}', '{"a":1}\n{"b":2}\n', {"as_json": True, "unordered": True}),
]
OTHER = [
    ("a\nb\n", "a\nc\n", {}),
    ("a\nb\n", "a\nb\nc\n", {}),
    ("a\nb\n", "a\n", {}),
    ("b\na\n", "a\nb\n", {}),
    ("a ... z\n", "a b\nc z\n", {}),
    ("a.c\n", "abc\n", {}),
    ("3 notes in 0.0 s\n", "4 notes in 0.0 s\n", {}),
    ("b\na\n", "a\na\nb\n", {"unordered": True}),
    ('{"a": 1}', '{"a":1,"b":2}', {"as_json": True}),
    ('{"a": 1, ...}', '{"b":2}', {"as_json": True}),
    ('{"a": {"b": 1, ...}}', '{"a":{"b":2}}', {"as_json": True}),
    ('{"a": 1}', '{"a":true}', {"as_json": True}),
    ('{"a": null}', '{"a":"null"}', {"as_json": True}),
    ('[1, ...]', '[2,1]', {"as_json": True}),
    ('[1, 2]', '[1,2,3]', {"as_json": True}),
    ('[1, 2, ...]', '[1]', {"as_json": True}),
    ('{"id": "a...z"}', '{"id":"abc"}', {"as_json": True}),
    ('{"a": 1}', '{"a":1}\n{"b":2}\n', {"as_json": True}),
    ('{"a": 1}', 'error: no\n', {"as_json": True}),
    ('{"a": 1', '{"a":1}', {"as_json": True}),
]


@pytest.mark.parametrize("expected, printed, how", SAME)
def test_the_same(expected, printed, how):
    assert difference(expected, printed, **how) is None


@pytest.mark.parametrize("expected, printed, how", OTHER)
def test_a_difference_is_said(expected, printed, how):
    assert difference(expected, printed, **how)


def ran(tmp_path, document):
    (tmp_path / "clone").mkdir()
    blocks, _ = blocks_of("d.md", document)
    return run([command for block in blocks for command in commands_of(block)], tmp_path, "/usr/bin:/bin", "127.0.0.1:4711", "no tsc")


def test_commands_share_a_shell_and_name_the_address_of_the_document(tmp_path):
    document = "```sh\nname=x; echo 127.0.0.1:8080 >f\n```\n```console\n$ echo $name; cat f\n$ false\n$ echo error >&2\n```\n"
    assert ran(tmp_path, document) == [("", 0), ("x\n127.0.0.1:8080\n", 0), ("", 1), ("error\n", 0)]
    assert (tmp_path / "clone" / "f").read_text() == "127.0.0.1:4711\n"


def test_what_is_not_reached_has_no_outcome(tmp_path):
    assert ran(tmp_path, "```console\n$ echo a\n$ exit 3\n$ echo b\n```\n") == [("a\n", 0), ("", None), None]
    assert outcomes([], "", 2) == [("", None), None]


def test_broken_links(tmp_path):
    (tmp_path / "a.md").write_text("# A b, c\n[x](b.md#one-two) [y](#a-b-c) [z](https://x.org/#no) [w](a.md)\n")
    (tmp_path / "b.md").write_text("## One [two](a.md)\n```sh\n# no heading\n```\n[x](c.md) [y](a.md#none) [z](#no-heading)\n")
    assert not list(broken_links(tmp_path, "a.md"))
    assert list(broken_links(tmp_path, "b.md")) == [
        "b.md: there is no c.md", "b.md: a.md has no heading #none", "b.md: b.md has no heading #no-heading",
    ]


def test_the_examples_are_one_set_of_notes():
    """The table, the lines and the files hold the same texts."""
    examples = Path("gateway/examples")
    with open(examples / "notes.csv", encoding="utf-8", newline="") as file:
        rows = [(row["case"], row["patient"], row["written"], row["note"]) for row in csv.DictReader(file)]
    lines = [json.loads(line) for line in (examples / "notes.jsonl").read_text().splitlines()]
    assert rows == [(line["id"], line["patient"], line["note_date"], line["text"]) for line in lines]
    texts = {text for *_, text in rows}
    assert all(path.read_text().rstrip() in texts for path in (examples / "notes").glob("*.txt"))
