"""Stands in for vLLM: model_server.py PORT. What it answers is changed by POST /act with JSON:

  answer       record (default), empty, unsupported, unusable or error
  delay        seconds before each answer
  kv_cache     what its metrics say of the KV cache, 0 to 1
  preemptions  and of preempted sequences
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FIELDS = ["cancer_type", "stage", "gene_mutation", "biomarker", "treatment", "response", "metastasis_site"]
RECORD = ["lung adenocarcinoma", "IV", None, None, "osimertinib", None, None]
ANSWERS = {
    "record": json.dumps(dict(zip(FIELDS, RECORD))),
    "empty": json.dumps(dict.fromkeys(FIELDS)),
    "unsupported": json.dumps(dict(zip(FIELDS, ["glioblastoma", "II", None, None, "imatinib", None, None]))),
    "unusable": "I am sorry, but there is nothing that I can say.",
}
ACT = {"answer": "record", "delay": 0.0, "kv_cache": 0.1, "preemptions": 0}
METRICS = """\
vllm:num_requests_running{engine="0",model_name="medical-ie"} 0.0
vllm:num_requests_waiting{engine="0",model_name="medical-ie"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="medical-ie"} %(kv_cache)s
vllm:num_preemptions_total{engine="0",model_name="medical-ie"} %(preemptions)s
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body, code=200):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            self.reply("")
        elif self.path == "/metrics":
            self.reply(METRICS % ACT)
        elif self.path == "/v1/models":
            self.reply({"object": "list", "data": [{"id": "medical-ie", "object": "model", "max_model_len": 8192}]})
        else:
            self.reply({"error": {"message": "not found"}}, 404)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/act":
            ACT.update(asked)
            return self.reply({})
        if self.path == "/tokenize":
            return self.reply({"count": 100, "max_model_len": 8192})
        answer = ACT["answer"]
        time.sleep(ACT["delay"])
        if answer == "error":
            return self.reply({"error": {"message": "the engine broke"}}, 500)
        message = {"role": "assistant", "content": ANSWERS[answer]}
        self.reply({
            "id": "made-up", "object": "chat.completion", "created": 0, "model": "medical-ie",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140},
        })


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
