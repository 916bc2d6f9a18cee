"""Measures the aligner of PyPI's langextract (its resolver, without a model) on labelled notes, to compare with ours.

    python -m venv VENV && VENV/bin/pip install langextract==1.7.1
    VENV/bin/python gateway/benches/langextract_aligner.py F.jsonl FROM TO PAIRS.jsonl

F has the layout of the adapter's training set. The script splits the values into parts and writes them to PAIRS in
the same layout, so that both aligners get the same pairs:

    cargo run --release -p gateway --example grounding -- PAIRS.jsonl

Not part of CI. Prints the share of values that are found in their own note, the share that are found in another
note although its record lacks them, and the time for each value.
"""

import json
import re
import sys
import time

from langextract.core import data
from langextract.resolver import Resolver

LISTS = {"gene_mutation", "biomarker", "treatment", "metastasis_site"}
JOINERS = r"\s*,\s+|\s+(?:and|plus|with|then|followed by)\s+|\s+\+\s+|(?<=[A-Za-z])/(?=[A-Za-z])"


def split_value(field, value):
    parts = re.split(r"\s*;\s*", value or "")
    if field in LISTS:
        parts = [piece for part in parts for piece in re.split(JOINERS, part)]
    return [part.strip() for part in parts if part and part.strip()]


def words(text):
    return set(re.findall(r"\w+", text.lower()))


def similar(one, other):
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
            record = {field: split_value(field, value) for field, value in line["output"].items()}
            notes.append((line["input"], record))
            output = {field: "; ".join(values) or None for field, values in record.items()}
            pairs.write(json.dumps({"input": line["input"], "output": output}) + "\n")
    resolver = Resolver()
    own_found = wrong_found = values = wrong_tried = 0
    started = time.perf_counter()
    for text, record in notes:
        flat = [value for field in record for value in record[field]]
        values += len(flat)
        own_found += sum(found(resolver, text, flat))
    seconds = time.perf_counter() - started
    for index, (_, record) in enumerate(notes):
        text, others = notes[(index * 7 + 13) % len(notes)]
        wrong = [v for f in record for v in record[f] if not any(similar(v, o) for o in others.get(f, []))]
        wrong_tried += len(wrong)
        wrong_found += sum(found(resolver, text, wrong))
    own_share, wrong_share = 100 * own_found / values, 100 * wrong_found / wrong_tried
    print(f"{values} values: found {own_share:.2f}%, in another note {wrong_share:.2f}%, "
          f"{1e6 * seconds / values:.0f} us a value")


main()
