"""The example clients against a gateway that refuses, cuts off and leaves out as a script says. Each must end with one
outcome for each note, and must not repeat what another try does not change."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

EXAMPLES = Path("gateway/examples").resolve()
MODULES = Path(os.environ["NODE_MODULES"])
RECORD = {"cancer_type": "melanoma", "stage": "IV"}


@pytest.fixture(scope="session")
def clients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    flags = ["--strict", "--noUncheckedIndexedAccess", "--erasableSyntaxOnly", "--module", "nodenext", "--target", "es2022"]
    types = ["--typeRoots", str(MODULES / "@types"), "--types", "node"]
    subprocess.run([MODULES / ".bin" / "tsc", *flags, *types, "--outDir", folder, EXAMPLES / "client.mts"], check=True)
    return {"python": ["python3", EXAMPLES / "client.py"], "typescript": ["node", folder / "client.mjs"]}


class FakeGateway(ThreadingHTTPServer):
    """Answers well, but for what `script` says of the next requests for a batch."""

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.batches, self.keys = list(script), [], set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.add(self.headers["Authorization"])
        if self.path == "/api/v1/extract":
            return self.answer(200, RECORD)
        lines = self.headers["Content-Type"] == "application/x-ndjson"
        notes = [json.loads(line) for line in body.splitlines()] if lines else json.loads(body)["notes"]
        self.server.batches.append([note["id"] for note in notes])
        fault = self.server.script.pop(0) if self.server.script else {}
        if "status" in fault:
            problem = {"status": fault["status"], "code": "a_code", "detail": "A sentence."}
            return self.answer(fault["status"], problem, fault.get("headers", {}))
        if fault.get("hang_up"):
            self.close_connection = True
            return None
        results = []
        for index, note in enumerate(notes):
            outcome = {"id": note["id"], "index": index}
            error = fault.get("notes", {}).get(note["id"])
            results.append(outcome | ({"status": error["status"], "error": error} if error else {"status": 200, "result": RECORD}))
        return self.answer_lines(results, fault.get("lines")) if lines else self.answer(200, {"results": results})

    def answer(self, status, body, headers=None):
        body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": len(body)} | (headers or {})).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def answer_lines(self, results, kept):
        """Sends only so many lines, the last torn, and no end of the body, if `kept` says so."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        lines = [json.dumps(result) + "\n" for result in results]
        if kept is not None:
            lines = [*lines[:kept], '{"id": ']
        for line in lines:
            self.wfile.write(f"{len(line.encode()):x}\r\n{line}\r\n".encode())
        if kept is None:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    def log_message(self, *_):
        pass


def read(client, tmp_path, script, count=3):
    notes = tmp_path / "notes.jsonl"
    notes.write_text("".join(json.dumps({"id": f"n{index}", "text": "A note.", "patient": "p"}) + "\n" for index in range(count)))
    with FakeGateway(script) as gateway:
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        environment = {"PATH": os.environ["PATH"], "API_KEY": "a-key"}
        url = f"http://127.0.0.1:{gateway.server_port}"
        done = subprocess.run([*client, url, notes], env=environment, capture_output=True, text=True, timeout=60)
        gateway.shutdown()
    assert gateway.keys == {"Bearer a-key"}
    outcomes = sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda outcome: outcome["index"])
    return done, outcomes, gateway.batches


def all_read(outcomes, count=3):
    return [(one["id"], one["index"], one["status"]) for one in outcomes] == [(f"n{index}", index, 200) for index in range(count)]


BOTH = pytest.mark.parametrize("client", ["python", "typescript"])
AGAIN = {"headers": {"Retry-After": 0}}


@BOTH
@pytest.mark.parametrize("fault", [{"status": 429} | AGAIN, {"status": 503} | AGAIN, {"hang_up": True}])
def test_a_refused_batch_is_sent_again(clients, client, tmp_path, fault):
    done, outcomes, batches = read(clients[client], tmp_path, [fault])
    assert done.returncode == 0, done.stderr
    assert all_read(outcomes)
    assert batches == [["n0", "n1", "n2"]] * 2


@BOTH
def test_only_the_note_that_asks_for_it_is_sent_again(clients, client, tmp_path):
    busy = {"status": 503, "code": "overloaded", "detail": "Later.", "retry_after": 0.01}
    done, outcomes, batches = read(clients[client], tmp_path, [{"notes": {"n1": busy}}, {"notes": {"n1": busy}}])
    assert done.returncode == 0, done.stderr
    assert all_read(outcomes)
    assert batches == [["n0", "n1", "n2"], ["n1"], ["n1"]]


@BOTH
def test_a_note_that_failed_for_good_is_one_outcome(clients, client, tmp_path):
    bad = {"status": 422, "code": "invalid_request", "detail": "No."}
    done, outcomes, batches = read(clients[client], tmp_path, [{"notes": {"n1": bad}}])
    assert done.returncode == 3
    assert [one["status"] for one in outcomes] == [200, 422, 200]
    assert len(batches) == 1


@BOTH
def test_another_error_ends_the_run(clients, client, tmp_path):
    done, outcomes, batches = read(clients[client], tmp_path, [{"status": 413}])
    assert done.returncode == 1
    assert "a_code: A sentence." in done.stderr
    assert (outcomes, len(batches)) == ([], 1)


@BOTH
def test_many_notes_go_in_parts(clients, client, tmp_path):
    done, outcomes, batches = read(clients[client], tmp_path, [], count=1_201)
    assert done.returncode == 0, done.stderr
    assert all_read(outcomes, 1_201)
    assert len(batches) > 2 and sum(map(len, batches)) == 1_201


def test_lines_that_break_off_are_sent_again(clients, tmp_path):
    done, outcomes, batches = read(clients["typescript"], tmp_path, [{"lines": 1}])
    assert done.returncode == 0, done.stderr
    assert all_read(outcomes)
    assert batches == [["n0", "n1", "n2"], ["n1", "n2"]]
