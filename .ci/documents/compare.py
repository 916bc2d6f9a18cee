"""Compares what a command printed with what stands in the document.

In the document `...` stands for what is left out: in text any part of a line, as a line any number of lines; in JSON a
value, part of a string, or all further members or elements. JSON is compared without regard to blanks and line ends. In text
the figures of VOLATILE count as equal to each other: another run has others.
"""

import difflib
import json
import re

VOLATILE = (
    ("rates", r"\d[\d,.]* notes/s, \d[\d,.]* MB/s"),
    ("times", r"\b\d+(\.\d+)? (s|ms)\b"),
    ("digests", r"\b[0-9a-f]{64}\b"),
    ("random ids", r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"),
)
# No document and no answer has this character.
REST = "\ue000"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|.', re.DOTALL)


def difference(expected, printed, as_json=False, unordered=False):
    """Returns what differs, or None. `unordered`: the lines may come in any order."""
    if not as_json:
        expected, printed = steady(expected), steady(printed)
    if unordered:
        expected, printed = ("\n".join(sorted(text.rstrip().splitlines())) for text in (expected, printed))
    return json_difference(expected, printed) if as_json else text_difference(expected, printed)


def steady(text):
    """Returns the text with a name in the place of each figure that changes from run to run."""
    for name, figure in VOLATILE:
        text = re.sub(figure, f"<{name}>", text)
    return text


def text_difference(expected, printed):
    pattern = ""
    for line in expected.rstrip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part.rstrip(" ")) for part in line.rstrip().split("...")) + "\n"
    lines = [line.rstrip() for line in printed.rstrip().splitlines()]
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)):
        return None
    return "\n".join(difflib.unified_diff(expected.rstrip().splitlines(), lines, "document", "printed", lineterm=""))


def json_difference(expected, printed):
    try:
        wanted = documents(with_rest(expected))
    except ValueError as error:
        return f"the block is no JSON: {error}"
    try:
        found = documents(printed)
    except ValueError:
        return f"printed was no JSON:\n{printed}"
    place = differs(wanted, found, "")
    return None if place is None else f"{place}\nprinted was:\n{printed}"


def documents(text):
    """Returns the JSON documents that stand one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


def with_rest(text):
    """Returns the JSON with REST in the place of each `...` outside of strings."""
    written, inside, before = "", [], ""
    for token in TOKEN.findall(text):
        if token == "...":
            member = inside and inside[-1] == "{" and before in "{,"
            token = f'"{REST}": null' if member else f'"{REST}"'
        elif token in "{[":
            inside.append(token)
        elif token in "}]" and inside:
            inside.pop()
        written += token
        before = token if token.strip() else before
    return written


def differs(wanted, found, place):
    """Returns the first place that differs with what was wanted there, or None."""
    if wanted == REST:
        return None
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = wanted.keys() - {REST}
        if unexpected := (keys - found.keys()) or (REST not in wanted and found.keys() - keys):
            return f"{place or '/'} differs in the keys {', '.join(sorted(unexpected))}"
        places = (differs(wanted[key], found[key], f"{place}/{key}") for key in wanted if key != REST)
        return next(filter(None, places), None)
    if isinstance(wanted, list) and isinstance(found, list):
        return elements_differ(wanted, found, place)
    if isinstance(wanted, str) and isinstance(found, str) and "..." in wanted:
        pattern = ".*".join(map(re.escape, wanted.split("...")))
        return None if re.fullmatch(pattern, found, re.DOTALL) else f"{place} is {found!r}, not {wanted!r}"
    same = type(wanted) is type(found) and wanted == found
    return None if same else f"{place} is {json.dumps(found)}, not {json.dumps(wanted)}"


def elements_differ(wanted, found, place):
    """As `differs`: REST stands for any number of elements."""
    if REST in wanted:
        at = wanted.index(REST)
        tail = wanted[at + 1 :]
        if len(found) < at + len(tail):
            return f"{place or '/'} has only {len(found)} elements"
        pairs = list(zip(wanted[:at], found)) + list(zip(tail, found[len(found) - len(tail) :]))
    elif len(wanted) != len(found):
        return f"{place or '/'} has {len(found)} elements, not {len(wanted)}"
    else:
        pairs = list(zip(wanted, found))
    places = (differs(one, other, f"{place}/{index}") for index, (one, other) in enumerate(pairs))
    return next(filter(None, places), None)
