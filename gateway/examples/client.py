#!/usr/bin/env python3
"""Reads notes through a running gateway, with Python's standard library alone.

    python3 client.py http://127.0.0.1:8080 notes.jsonl > results.jsonl

Each line of the input is `{"id", "text"}`, and may have a `note_date`. Each line of the output is `{"id", "index",
"status"}` with `result` or `error`. If the gateway asks for a key, put it into the environment variable API_KEY.
The exit code is 3 if a note failed.
"""

import http.client
import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.request

# A client that sends everything before it reads must send little at a time.
NOTES_AT_ONCE = 100
TRIES = 6
SECONDS_FOR_AN_ANSWER = 300


class Refused(Exception):
    """The gateway answered with an error that another try does not change."""


def post(url, body):
    """Returns the JSON of the answer. Tries again after 429, 503 and a lost connection."""
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    for tried in itertools.count(1):
        try:
            with urllib.request.urlopen(request, timeout=SECONDS_FOR_AN_ANSWER) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code not in (429, 503) or tried == TRIES:
                raise Refused(f"{problem['code']}: {problem['detail']}") from None
            pause = float(error.headers.get("Retry-After", 2**tried))
        except (OSError, http.client.HTTPException):
            if tried == TRIES:
                raise
            pause = 2**tried
        time.sleep(pause)


def extract_one(gateway, text):
    """Returns the answer for one note: the seven fields, `evidence`, `warnings` and more."""
    return post(f"{gateway}/api/v1/extract", {"text": text})


def extract_all(gateway, notes):
    """Yields one outcome for each note. A note that the gateway could not read in time is sent again."""
    notes = enumerate(notes)
    while waiting := list(itertools.islice(notes, NOTES_AT_ONCE)):
        for tried in range(1, TRIES + 1):
            answer = post(f"{gateway}/api/v1/extract/batch", {"notes": [note for _, note in waiting]})
            again, pause = [], 0
            for (index, note), outcome in zip(waiting, answer["results"], strict=True):
                retry_after = outcome.get("error", {}).get("retry_after")
                if retry_after is None or tried == TRIES:
                    yield outcome | {"index": index}
                else:
                    again.append((index, note))
                    pause = max(pause, retry_after)
            if not again:
                break
            waiting = again
            time.sleep(pause)


def lines(path):
    """Yields the notes of a JSONL file, with the keys that the gateway knows."""
    with open(path, encoding="utf-8") as file:
        for line in filter(str.strip, file):
            note = json.loads(line)
            yield {key: note[key] for key in ("id", "text", "note_date") if key in note}


def main(gateway, path):
    first = next(lines(path))
    answer = extract_one(gateway, first["text"])
    print(f"{first['id']}: {answer['cancer_type']}, stage {answer['stage']}", file=sys.stderr)

    failed = 0
    for outcome in extract_all(gateway, lines(path)):
        print(json.dumps(outcome, ensure_ascii=False))
        failed += outcome["status"] != 200
    return 3 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Refused as error:
        sys.exit(f"error: {error}")
