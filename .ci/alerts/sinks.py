"""What alerts arrive at: a webhook and a mail server on free ports. They keep what they get, with the time."""

import json
import socketserver
import threading
import time
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Sinks:
    """Both, for a `with` block. `arrived` has (time, way, status, alert names, text)."""

    def __init__(self):
        self.arrived = []
        arrived = self.arrived

        class Webhook(BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                notice = json.loads(text)
                names = sorted({alert["labels"]["alertname"] for alert in notice["alerts"]})
                arrived.append((time.monotonic(), "webhook", notice["status"], names, text))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Mail(socketserver.StreamRequestHandler):
            """As much of SMTP (RFC 5321) as Alertmanager speaks."""

            def say(self, line):
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self):
                self.say("220 sink")
                while line := self.rfile.readline().decode(errors="replace").strip().upper():
                    if line.startswith("DATA"):
                        self.say("354 go on")
                        self.take()
                        self.say("250 taken")
                    elif line.startswith("QUIT"):
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 sink")

            def take(self):
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line)
                mail = message_from_bytes(b"".join(lines))
                parts = [part.get_payload(decode=True) for part in mail.walk() if not part.is_multipart()]
                text = "\n".join(part.decode() for part in parts)
                status = "resolved" if "RESOLVED" in mail["Subject"] else "firing"
                names = [word for word in mail["Subject"].split() if word.isalnum() and word not in ("FIRING", "RESOLVED")]
                arrived.append((time.monotonic(), "mail", status, names, mail["Subject"] + "\n" + text))

        self.webhook, self.mail = ThreadingHTTPServer(("127.0.0.1", 0), Webhook), socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)

    def __enter__(self):
        for server in (self.webhook, self.mail):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in (self.webhook, self.mail):
            server.shutdown()

    def has(self, way, status, name):
        return any(kind == way and came == status and name in text for _, kind, came, _, text in self.arrived)
