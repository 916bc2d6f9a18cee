"""Measures the aligner of PyPI's langextract (its resolver alone, no model) on labelled notes, beside ours.

    python -m venv VENV && VENV/bin/pip install langextract==1.7.1
    VENV/bin/python gateway/benches/langextract_aligner.py F.jsonl FROM TO PAIRS.jsonl

F is in the layout of the adapter's training set. The values are cut into single things and written to PAIRS in
the same layout, so that both aligners see the same pairs:

    cargo run --release -p gateway --example grounding -- PAIRS.jsonl

Not part of CI. Prints how many values are found in their own note, how many in another note of which they are
not true, and the time per value.
"""

import json
import re
import sys
import time

from langextract.core import data
from langextract.resolver import Resolver

LISTS = {"gene_mutation", "biomarker", "treatment", "metastasis_site"}
JOINERS = r"\s*,\s+|\s+(?:and|plus|with|then|followed by)\s+|\s+\+\s+|(?<=[A-Za-z])/(?=[A-Za-z])"


def things(field, value):
    parts = re.split(r"\s*;\s*", value or "")
    if field in LISTS:
        parts = [piece for part in parts for piece in re.split(JOINERS, part)]
    return [part.strip() for part in parts if part and part.strip()]


def words(text):
    return set(re.findall(r"\w+", text.lower()))


def alike(one, other):
    a, b = words(one), words(other)
    return 2 * len(a & b) >= max(len(a), len(b))


def found(resolver, text, values):
    extractions = [data.Extraction(extraction_class="value", extraction_text=value) for value in values]
    aligned = resolver.align(extractions, text, token_offset=0, char_offset=0)
    return [one.alignment_status is not None for one in aligned]


def main():
    path, start, end, pairs_path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    notes = []
    with open(path, encoding="utf-8") as lines, open(pairs_path, "w", encoding="utf-8") as pairs:
        for line in list(lines)[start:end]:
            line = json.loads(line)
            record = {field: things(field, value) for field, value in line["output"].items()}
            notes.append((line["input"], record))
            output = {field: "; ".join(values) or None for field, values in record.items()}
            pairs.write(json.dumps({"input": line["input"], "output": output}) + "\n")
    resolver = Resolver()
    own = elsewhere = values = tried = 0
    started = time.perf_counter()
    for text, record in notes:
        flat = [value for field in record for value in record[field]]
        values += len(flat)
        own += sum(found(resolver, text, flat))
    took = time.perf_counter() - started
    for at, (_, record) in enumerate(notes):
        text, others = notes[(at * 7 + 13) % len(notes)]
        wrong = [v for f in record for v in record[f] if not any(alike(v, o) for o in others.get(f, []))]
        tried += len(wrong)
        elsewhere += sum(found(resolver, text, wrong))
    print(f"{values} values: found {100 * own / values:.2f}%, in another note {100 * elsewhere / tried:.2f}%, "
          f"{1e6 * took / values:.0f} us a value")


main()
