"""Before moto: a log of all calls, a queue of faults, and the test's own requests under /_emulator/."""

import io
import json
import socket
import threading
import time
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

FAULTS = {}
HELD = threading.Event()
CALLS = []
CONTROLS = {}
LOCK = threading.Lock()


class Dropped(ConnectionResetError):
    """The connection ends without an answer: werkzeug takes it for a client that went away."""


def fault_for(action):
    with LOCK:
        queue = FAULTS.get(action) or []
        return queue.pop(0) if queue else None


def add_fault(body):
    """{action, code, message, status, times, delay, hold, drop}

    drop: true: the call is never heard; "after": it is done, and its answer is lost
    hold: waits for /_emulator/release, then goes on
    """
    HELD.clear()
    with LOCK:
        FAULTS.setdefault(body["action"], []).extend([body] * body.get("times", 1))


def failure(fault, protocol):
    """An AWS error, in the protocol of the service."""
    code, message = fault["code"], fault.get("message", fault["code"])
    if protocol == "json":
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    if protocol == "query":
        return "text/xml", f"<ErrorResponse>{error}<RequestId>emulator</RequestId></ErrorResponse>"
    return "text/xml", f"<Response><Errors>{error}</Errors><RequestID>emulator</RequestID></Response>"


class Front(DomainDispatcherApplication):
    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if path.startswith("/_emulator/"):
            answer = CONTROLS[path.removeprefix("/_emulator/")](body)
            text = json.dumps(answer, default=str).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
            return [text]
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        text = body.decode("utf-8", "replace")
        action = target.split(".")[-1] or (parse_qs(text).get("Action") or [""])[0]
        CALLS.append({"at": time.time(), "action": action, "body": text})
        fault = fault_for(action)
        if not fault:
            return super().__call__(environ, start_response)
        time.sleep(fault.get("delay", 0))
        if fault.get("hold"):
            HELD.wait(60)
        if fault.get("drop"):
            if fault["drop"] == "after":
                list(super().__call__(environ, lambda *_: None))
            # The server would keep the connection, and the client wait on it.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise Dropped(action)
        if "code" not in fault:
            return super().__call__(environ, start_response)
        # STS uses the older XML; EC2 has its own.
        protocol = "json" if target else "query" if "Version=2011-06-15" in text else "ec2"
        kind, answer = failure(fault, protocol)
        start_response(f"{fault.get('status', 400)} Fault", [("Content-Type", kind)])
        return [answer.encode()]
