"""openapi-python-client: generated in the folder `python_client` beside this file's working folder."""

import json
import os
from io import BytesIO

from python_client import Client
from python_client.api.extraction import extract_batch, extract_lines, extract_note, extract_stream
from python_client.models import Answer, BatchAnswer, BatchNote, BatchRequest, ExtractRequest, Problem
from python_client.types import File

NOTE = "Stage IV lung adenocarcinoma with EGFR L858R, on osimertinib with a partial response."

client = Client(base_url=os.environ["GATEWAY_URL"])

one = extract_note.sync(client=client, body=ExtractRequest(text=NOTE, model=None, offsets=None, confidence=None))
assert isinstance(one, Answer) and one.stage == "IV", one
refused = extract_note.sync_detailed(client=client, body=ExtractRequest(text="   "))
assert refused.status_code == 422 and isinstance(refused.parsed, Problem), refused
assert str(refused.parsed.code) == "invalid_request", refused.parsed
notes = [BatchNote(id="a", text=NOTE), BatchNote(text="   ")]
batch = extract_batch.sync(client=client, body=BatchRequest(notes=notes))
assert isinstance(batch, BatchAnswer) and (batch.summary.ok, batch.summary.failed) == (1, 1), batch
line = json.dumps({"id": "a", "text": NOTE}).encode()
lines = extract_lines.sync_detailed(client=client, body=File(payload=BytesIO(line)))
assert json.loads(lines.content)["result"]["stage"] == "IV", lines
stream = extract_stream.sync(client=client, body=ExtractRequest(text=NOTE))
assert isinstance(stream, str), stream
events = [json.loads(data[5:]) for data in stream.splitlines() if data.startswith("data:")]
assert [event["type"] for event in events] == ["field"] * 7 + ["result"], events
assert events[-1]["stage"] == "IV", events
