"""A transcription server for tests: Whisper tiny.en on the CPU behind `POST /v1/audio/transcriptions`.

    server.py MODEL_FOLDER PORT_FILE

It writes its port into PORT_FILE when it is ready. It answers `verbose_json` with the fields that OpenAI's API has. A
prompt of which Whisper would not read the beginning is refused.
"""

import email.parser
import email.policy
import io
import json
import pathlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from faster_whisper import WhisperModel

MODEL = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=2)


# Whisper reads this many tokens of a prompt, the last ones.
LONGEST_PROMPT = 223


def parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a form, by name."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    return {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in form.iter_parts()}


def transcribe(form: dict[str, bytes]) -> dict[str, object]:
    """The answer to a form, as `verbose_json`."""
    prompt = form.get("prompt", b"").decode() or None
    if prompt and len(MODEL.hf_tokenizer.encode(f" {prompt}", add_special_tokens=False).ids) > LONGEST_PROMPT:
        raise ValueError("the prompt is too long")
    segments, info = MODEL.transcribe(io.BytesIO(form["file"]), language="en", beam_size=1, temperature=0.0,
                                      initial_prompt=prompt, condition_on_previous_text=False)
    found = list(segments)
    keys = ("id", "start", "end", "text", "avg_logprob", "no_speech_prob", "compression_ratio", "temperature")
    return {"task": "transcribe", "language": "english", "duration": info.duration,
            "text": "".join(segment.text for segment in found),
            "segments": [{key: getattr(segment, key) for key in keys} for segment in found]}


class Handler(BaseHTTPRequestHandler):
    """The one route."""

    def do_POST(self) -> None:  # noqa: N802
        """Answers a form with a file."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/audio/transcriptions":
            self.send_error(404)
            return
        try:
            answer = json.dumps(transcribe(parts(self.headers["Content-Type"], body))).encode()
        except ValueError as error:
            self.send_error(400, str(error))
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pathlib.Path(sys.argv[2]).write_text(str(server.server_port))
    server.serve_forever()
