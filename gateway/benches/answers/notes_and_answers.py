"""Judges notes with what is expected of the rules, and with what is expected of a model's answer to them.

A line has `id`, `what` ("[rules engine ..." or "[model engine ..."), `input`, `expected` and, for a model, `model_answer`.
The second kind runs with a scripted server that answers each note as the line says.
"""

import http.server
import json
import re
import sys
import threading

FIELDS = ("cancer_type", "stage", "gene_mutation", "biomarker", "treatment", "response", "metastasis_site")


def with_rules(product, path):
    """Counts the lines of the rules that come out as expected, and all of them."""
    return _judged(_lines(path, "[rules engine"), product.extract, _faults_of_rules)


def with_a_model(product, path):
    """The same for the lines with a model's answer."""
    lines = _lines(path, "[model engine")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Scripted", (_Scripted,), {"lines": lines}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        return _judged(lines, lambda notes: product.extract(notes, "--engine", "vllm", "--vllm-url", url), _faults_of_a_model)
    finally:
        server.shutdown()


def _lines(path, kind):
    return [line for line in map(json.loads, filter(None, path.read_text().split("\n"))) if kind in line["what"]]


def _judged(lines, extract, faults):
    answers = extract([{"id": line["id"], "text": line["input"]} for line in lines])
    right = 0
    for line in lines:
        found = faults(line, answers[line["id"]])
        right += not found
        if found:
            print(f"{line['id']}: {'; '.join(found)}", file=sys.stderr)
    return right, len(lines)


def _faults_of_rules(line, answer):
    faults = []
    for clause in re.split(r";\s*(?=[a-z_]+: )", line["expected"]):
        field, wanted = re.match(r"([a-z_]+): (.*)", clause).groups()
        value = _folded(answer.get(field) or "")
        if wanted == "null":
            faults += [f"{field} is filled"] if value else []
            continue
        faults += [f"{field} lacks: {term}" for term in re.split(r", (?=has |not |one of )", wanted) if not _holds(value, term)]
    return faults


def _holds(value, term):
    if term.startswith("has "):
        return _folded(term[4:]) in value
    if term.startswith("not "):
        return _folded(term[4:]) not in value
    if term.startswith("one of "):
        choices = term[7:].split(", not ")[0].split(" / ")
        return any(_folded(choice.lstrip("=")) in value for choice in choices)
    return _folded(term) == value


def _faults_of_a_model(line, answer):
    expected = line["expected"]
    if expected == "a value once":
        return _repeated(answer)
    if "error" in answer:
        return [answer["error"]["code"]]
    if expected == "the true values are kept and found in the note":
        return _faults(answer, _not_kept, json.loads(line["model_answer"]).items())
    if expected == "what the note denies is left out or warned of":
        return _faults(answer, _not_warned_of, json.loads(line["model_answer"]).items())
    faults = []
    for clause in re.split(r"\. (?=left out)", expected.replace(", and no lung", "")):
        wanted = re.match(r"(kept and supported|left out or warned of): (.*)", clause, re.DOTALL)
        if not wanted:
            return ["the line does not say what is expected"]
        judge = _not_kept if wanted[1] == "kept and supported" else _not_warned_of
        faults += _faults(answer, judge, re.findall(r"([a-z_]+) '((?:[^']|'(?!;|$|\.))*)'", wanted[2]))
    return faults


def _faults(answer, judge, values):
    parts = [(field, part) for field, value in values for part in re.split(r"; | and |, ", _folded(value or "")) if part]
    return [fault for field, part in parts for fault in judge(answer, field, part)]


def _repeated(answer):
    """An answer that repeats itself without end may be refused, and is then not read as one."""
    parts = [(field, part.strip()) for field in FIELDS for part in _folded(answer.get(field) or "").split(";") if part]
    return [f"{field} repeats {part}" for field, part in set(parts) if parts.count((field, part)) > 1]


def _not_kept(answer, field, part):
    if part not in _folded(answer.get(field) or ""):
        return [f"{field} lost {part}"]
    findings = [found for found in answer["evidence"].get(field, []) if part in _folded(found["value"])]
    unsupported = findings and all(found["basis"] == "unsupported" for found in findings)
    return [f"{field} {part} is unsupported"] if unsupported else []


def _not_warned_of(answer, field, part):
    warned = any(warning.get("field") == field or warning["code"] == "unassessed_language" for warning in answer["warnings"])
    return [f"{field} keeps {part} without a warning"] if part in _folded(answer.get(field) or "") and not warned else []


def _folded(text):
    return " ".join(text.lower().split())


class _Scripted(http.server.BaseHTTPRequestHandler):
    """A model server that answers a note of `lines` with its answer."""

    protocol_version = "HTTP/1.1"
    lines = ()

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._send({"object": "list", "data": [{"id": "medical-ie", "object": "model", "max_model_len": 8192}]})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        if "completions" not in self.path:
            return self._send({"count": 10, "tokens": [1] * 10, "max_model_len": 8192})
        prompt = "".join(message["content"] for message in request["messages"]) if "messages" in request else request["prompt"]
        choice = {"index": 0, "finish_reason": "stop"}
        answer = self._answer(prompt)
        if "messages" in request:
            choice["message"] = {"role": "assistant", "content": answer}
        else:
            choice["text"] = answer
        usage = {"prompt_tokens": max(60, len(prompt) // 4 + 20), "completion_tokens": 60, "total_tokens": 200}
        return self._send({"id": "x", "created": 1, "model": request["model"], "choices": [choice], "usage": usage})

    def _answer(self, prompt):
        # A note may be a part of another one: the longest that the prompt holds is the one that was sent.
        held = [line for line in self.lines if _prompted(line["input"]) in prompt or line["input"].strip() in prompt]
        answer = max(held, key=lambda line: len(line["input"]))["model_answer"]
        if isinstance(answer, str):
            return answer
        merged = {}
        for field in FIELDS:
            values = [answer.get(part, {}).get(field) for part in ("right", "wrong")]
            merged[field] = "; ".join(filter(None, values)) or None
        return json.dumps(merged)

    def _send(self, body):
        body = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _prompted(note):
    """What the prompt holds of a note: the gateway parts what could be a control token."""
    return re.sub("<", "< ", note)
