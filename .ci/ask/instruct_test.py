"""Asks a real, small instruct model through the gateway, which must let nothing invented through.

usage: instruct_test.py GATEWAY_URL QUESTIONS_TOML

The model cannot do the job. That is the point: what it makes up is real. An answer counts as invented if it passes
(`grounded`) although the note does not answer the question, or if one of its words or numbers stands in none of its quotes.
"""

import json
import re
import sys
import time
import tomllib
import urllib.error
import urllib.request

# Seconds for all questions together; what is left then is not asked.
BUDGET = 100
# Drafts of the model that must have reached the gate, so that the step has tested something.
LEAST_DRAFTS = 5
FUNCTION = set("a an the is are was were be been has have had does do did of in on at to for with by from as and also it he she "
               "they her his patient no not yes this that there".split())

url, table = sys.argv[1], sys.argv[2]
with open(table, "rb") as file:
    notes = tomllib.load(file)["note"]


def ask(note: str, question: str) -> tuple[int, dict]:
    body = json.dumps({"text": note, "question": question}).encode()
    request = urllib.request.Request(f"{url}/api/v1/ask", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def invented(note: str, answer: dict, answerable: bool) -> str | None:
    for quote in answer["quotes"]:
        if note[quote["start"]:quote["end"]] != quote["quote"]:
            return "a quote is no slice of the note"
    if not answer["grounded"]:
        return None
    if not answerable:
        return "the note does not answer this"
    quoted = words(" ".join(quote["quote"] for quote in answer["quotes"]))
    missing = words(answer["answer"]) - quoted - FUNCTION
    missing = {word for word in missing if not any(word[:4] == other[:4] and len(word) > 4 for other in quoted)}
    return f"in no quote: {sorted(missing)}" if missing else None


# Questions that can be answered and those that cannot take turns, over all notes.
queue = []
for at in range(8):
    for note in notes:
        if at < len(note["written"]):
            queue.append((note["text"], note["written"][at][0], True))
        others = [question for question in note["silent"]]
        if at < len(others):
            queue.append((note["text"], others[at], False))

counts: dict[str, int] = {}
failures, began = [], time.monotonic()
for text, question, answerable in queue:
    if time.monotonic() - began > BUDGET:
        break
    status, answer = ask(text, question)
    if status != 200:
        outcome = answer["code"]
        if outcome not in ("output_truncated", "output_unusable", "deadline_exceeded"):
            failures.append(f"{question}: {status} {outcome}")
    elif answer["source"] != "model":
        outcome = answer["source"]
    else:
        outcome = "passed" if answer["grounded"] else ("quotes" if answer["quotes"] else "not_said")
        fault = invented(text, answer, answerable)
        if fault:
            failures.append(f"{question}: {fault}: {answer['answer']!r}")
    counts[outcome] = counts.get(outcome, 0) + 1

print("asked:", counts)
drafts = sum(counts.get(outcome, 0) for outcome in ("passed", "quotes", "not_said"))
if drafts < LEAST_DRAFTS:
    failures.append(f"only {drafts} drafts of the model reached the gate: {counts}")
print(f"{drafts} drafts of a real model, {counts.get('passed', 0)} answers passed, invented facts let through: {len(failures)}")
for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(bool(failures))
