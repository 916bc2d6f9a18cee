"""datamodel-code-generator: requests with every key as the models write them, answers as the models read them."""

import json
import os
import urllib.error
import urllib.request

from models import Answer, BatchAnswer, BatchNote, BatchRequest, ExtractRequest, NoteOutcome, Problem, StreamEvent

NOTE = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a partial response."


def post(path: str, kind: str, body: str) -> str:
    request = urllib.request.Request(os.environ["GATEWAY_URL"] + path, body.encode(), {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


# `model_dump_json` writes null for every option that is not set.
asked = ExtractRequest(text=NOTE).model_dump_json()
assert '"offsets":null' in asked and '"confidence":null' in asked, asked
answer = Answer.model_validate_json(post("/api/v1/extract", "application/json", asked))
assert answer.stage == "IV", answer
try:
    post("/api/v1/extract", "application/json", ExtractRequest.model_construct(text="   ").model_dump_json())
    raise AssertionError("a blank note was read")
except urllib.error.HTTPError as error:
    problem = Problem.model_validate_json(error.read())
    assert error.code == 422 and problem.code.value == "invalid_request", problem
asked = BatchRequest(notes=[BatchNote(id="a", text=NOTE), BatchNote(text=NOTE)]).model_dump_json()
batch = BatchAnswer.model_validate_json(post("/api/v1/extract/batch", "application/json", asked))
assert batch.summary.ok == 2, batch
line = BatchNote(id="a", text=NOTE).model_dump_json()
outcome = NoteOutcome.model_validate_json(post("/api/v1/extract/lines", "application/x-ndjson", line))
assert outcome.status == 200, outcome
stream = post("/api/v1/extract/stream", "application/json", json.dumps({"text": NOTE}))
data = [line[5:] for line in stream.splitlines() if line.startswith("data:")]
events = [StreamEvent.model_validate_json(event).root for event in data]
assert [event.type if isinstance(event.type, str) else event.type.value for event in events] == ["field"] * 7 + ["result"]
