"""Judges made-up cases: what must not stand in the record, and what is said of a marked target."""

import json


def polarity(product, path):
    """A line: `{"id", "text", "field", "forbidden": [...]}`. Counts the notes without a forbidden part, and all."""
    notes = _lines(path)
    answers = product.extract(notes)
    right = 0
    for note in notes:
        parts = _folded(answers[note["id"]].get(note["field"]) or "").split(";")
        right += not any(_folded(part) == _folded(forbidden) for part in parts for forbidden in note["forbidden"])
    return right, len(notes)


def assertion(product, path):
    """A line: `{"id", "text", "field", "start", "end", "expected": [class...], "in_record"}`. Counts the targets with
    an expected class, those rightly in the record or out of it, and all. A target without a finding is out of it."""
    notes = _lines(path)
    answers = product.extract(notes)
    classes = records = 0
    for note in notes:
        findings = answers[note["id"]]["evidence"].get(note["field"], [])
        here = [found for found in findings if _overlaps(found, note)]
        classes += any(found["assertion"] in note["expected"] for found in here)
        records += any(found["in_record"] for found in here) == note["in_record"]
    return classes, records, len(notes)


def _overlaps(found, target):
    start, end = found.get("start"), found.get("end")
    return start is not None and start < target["end"] and target["start"] < end


def _lines(path):
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def _folded(text):
    return " ".join(text.lower().split())
