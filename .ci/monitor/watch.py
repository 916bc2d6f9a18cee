"""`deployer monitor` as an operator uses it: watch.py DEPLOYER GATEWAY_URL FOLDER PANIC_COMMAND...

The built deployer in tmux, before a real gateway with the rules engine behind a front that can hang or fail; and without a
screen, with a real webhook, mail server, log file and program to tell.
"""

import base64
import http.server
import json
import os
import pathlib
import re
import shlex
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from email import message_from_bytes, policy

import jsonschema

DEPLOYER, GATEWAY, FOLDER = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
PANIC = sys.argv[4:]
ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTE = "Stage IV lung adenocarcinoma on osimertinib."
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": str(FOLDER), "TERM": "screen-256color", "LANG": "C.UTF-8"}


def until(what, is_so, seconds=30):
    """Waits until something is so; says what was waited for if it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = is_so()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"not within {seconds} s: {what}")


class Front:
    """A front of the gateway. `mode`: pass, hang (accepts, and answers nothing for 60 s), fail (503)."""

    def __init__(self):
        self.mode = "pass"
        self.hung = threading.Event()
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body=None):
                if front.mode == "hang":
                    front.hung.set()
                    time.sleep(60)
                    return
                status, kind, text = 503, "application/json", b"{}"
                if front.mode == "pass":
                    headers = {"Content-Type": "application/json"} if body else {}
                    with urllib.request.urlopen(urllib.request.Request(GATEWAY + self.path, body, headers), timeout=10) as found:
                        status, kind, text = found.status, found.headers["Content-Type"], found.read()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self):
                self.answer()

            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def read_notes(self, count):
        for _ in range(count):
            body = json.dumps({"text": NOTE}).encode()
            headers = {"Content-Type": "application/json"}
            urllib.request.urlopen(urllib.request.Request(f"{self.url}/api/v1/extract", body, headers), timeout=20).read()


class Sinks:
    """A webhook and a mail server, which offers STARTTLS and a sign-in if it has a certificate. They keep what arrives."""

    def __init__(self, certificate=None):
        self.calls, self.mails, self.signed_in = [], [], []
        calls, mails, signed_in = self.calls, self.mails, self.signed_in

        class Webhook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Mail(socketserver.StreamRequestHandler):
            """As much of SMTP (RFC 5321, 3207, 4954) as the client speaks."""

            def say(self, line):
                self.wfile.write(f"{line}\r\n".encode())

            def start_tls(self):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*certificate)
                self.request = context.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)

            def handle(self):
                try:
                    self.talk()
                except (ssl.SSLError, ConnectionError):
                    pass  # a client that does not trust the certificate

            def talk(self):
                self.say("220 sink")
                while text := self.rfile.readline().decode(errors="replace").strip():
                    line = text.upper()
                    if line.startswith("EHLO") and certificate:
                        secured = isinstance(self.request, ssl.SSLSocket)
                        self.say("250-sink")
                        self.say("250 AUTH PLAIN" if secured else "250 STARTTLS")
                    elif line == "STARTTLS":
                        self.say("220 go on")
                        self.start_tls()
                    elif line.startswith("AUTH PLAIN"):
                        signed_in.append(base64.b64decode(text.split()[2]).split(b"\0")[1:])
                        self.say("235 welcome")
                    elif line.startswith("DATA"):
                        self.say("354 go on")
                        lines = []
                        while (line := self.rfile.readline()) not in (b".\r\n", b""):
                            lines.append(line)
                        mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
                        self.say("250 taken")
                    elif line.startswith("QUIT"):
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 sink")

        self.webhook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        self.mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
        for server in (self.webhook, self.mail):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()


class Screen:
    """A command in a terminal of its own. It runs in a shell that tells how it ended, and the terminal's modes before and after."""

    number = 0

    def __init__(self, command, columns=80, lines=24, environment=None):
        Screen.number += 1
        self.name = f"{os.getpid()}-{Screen.number}"
        self.before, self.after = FOLDER / f"before-{Screen.number}", FOLDER / f"after-{Screen.number}"
        words = " ".join(shlex.quote(word) for word in command)
        # Ctrl-C reaches the shell too, which must go on and tell how the command ended.
        script = f"trap : INT; stty -a >{self.before}; echo at the start; {words}; echo \"ended $?\"; stty -a >{self.after}; echo over; exec sleep 600"
        variables = ENVIRONMENT | (environment or {})
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines),
                  "env", "-i", *[f"{name}={value}" for name, value in variables.items()], "sh", "-c", script)

    def tmux(self, *arguments):
        command = ["tmux", "-L", self.name, *arguments]
        run = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT, cwd=FOLDER)
        assert run.returncode == 0, f"{arguments[0]}: {run.stderr}"
        return run.stdout

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is AssertionError or kind is TimeoutError:
            print(self.text(), file=sys.stderr)
        subprocess.run(["tmux", "-L", self.name, "kill-server"], check=False, env=ENVIRONMENT)

    def text(self, *arguments):
        return self.tmux("capture-pane", "-p", *arguments)

    def shows(self, *texts, seconds=30):
        return until(f"the screen shows {texts}", lambda: (text := self.text()) and all(one in text for one in texts) and text, seconds)

    def resize(self, columns, lines):
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def ends(self, status, act):
        """Acts, and expects the end within a second, on the screen that was there before, in the modes of before."""
        started = time.monotonic()
        act()
        text = until("the end", lambda: "ended " in (text := self.text()) and text, 10)
        took = time.monotonic() - started
        assert f"ended {status}" in text, text
        assert "at the start" in text and "extraction gateway" not in text, text
        assert took < 1, f"the end took {took:.2f} s"
        until("the shell is there", lambda: self.after.exists() and "over" in self.text())
        assert self.after.read_text() == self.before.read_text(), "the terminal's modes are not those of before"
        return took


def monitor(url, *arguments):
    return [DEPLOYER, "monitor", "--url", url, "--interval", "1", *arguments]


def clock(text):
    return re.search(r"(\d\d:\d\d:\d\d) UTC", text)[1]


def dashboard(front):
    """The screen with a real gateway, resized, then before a gateway that hangs."""
    with Screen(monitor(front.url)) as screen:
        screen.shows("healthy", "rules")
        front.read_notes(30)
        text = screen.shows("30 in", "p95")
        assert all(len(line) <= 80 for line in text.splitlines()) and "more lines" not in text, text
        print(text)
        screen.resize(40, 10)
        screen.shows("too small")
        screen.resize(20, 4)
        screen.shows("too small", "q ends")
        screen.resize(100, 30)
        screen.shows("healthy", "30 in")
        screen.resize(80, 24)
        # Keys that mean nothing; F2 and an arrow contain letters.
        for key in ("x", "F2", "Up", "C-z", "C-s"):
            screen.tmux("send-keys", key)
        seen = clock(screen.shows("healthy"))
        until("the clock goes on", lambda: clock(screen.text()) > seen, 5)
        took = screen.ends(0, lambda: screen.tmux("send-keys", "q"))
        print(f"q ended it in {took:.2f} s")
    for key, status in (("C-c", 130), ("q", 0)):
        front.mode = "pass"
        front.hung.clear()
        with Screen(monitor(front.url)) as screen:
            screen.shows("healthy", "queue")
            front.mode = "hang"
            front.hung.wait(10)
            began = time.monotonic()
            # The last good values stay, with their age, while the requests hang.
            seen = screen.text()
            for _ in range(3):
                before = clock(seen)
                seen = until("the clock goes on", lambda: clock(text := screen.text()) > before and text, 3)
            text = screen.shows("STALE", "no answer in 10 s", "healthy", "FIRING", seconds=30)
            took = screen.ends(status, lambda: screen.tmux("send-keys", key))
            print(f"{key} ended it in {took:.2f} s, after {time.monotonic() - began:.0f} s before a gateway that hangs")
    print(text)
    front.mode = "pass"


def colours(front):
    for environment, wanted in (({}, True), ({"NO_COLOR": "1"}, False)):
        with Screen(monitor(front.url), environment=environment) as screen:
            screen.shows("healthy")
            found = re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7])m", screen.text("-e"))
            assert bool(found) == wanted, screen.text("-e")


def ends(front):
    """SIGTERM and a panic also leave a whole terminal."""
    with Screen(monitor(front.url)) as screen:
        screen.shows("healthy")
        shell = screen.tmux("display-message", "-p", "#{pane_pid}").strip()
        pid = subprocess.run(["pgrep", "--parent", shell, "deployer"], check=True, capture_output=True, text=True).stdout
        screen.ends(130, lambda: os.kill(int(pid), signal.SIGTERM))
    with Screen(PANIC) as screen:
        text = screen.shows("ended", "over")
        assert "at the start" in text and "on purpose" in text, text
        assert screen.after.read_text() == screen.before.read_text()
    print("SIGTERM and a panic left the terminal as it was")


def refused(front):
    """A terminal that is too small is told so, before anything is drawn or asked."""
    with Screen(monitor(front.url), columns=20) as screen:
        screen.shows("ended 2")
        text = screen.text("-J")
        assert "the terminal has 20 columns and 24 lines" in text, text
        assert screen.before.read_text() == until("the modes", lambda: screen.after.exists() and screen.after.read_text())
    with Screen(monitor(front.url), environment={"TERM": "dumb"}) as screen:
        assert "TERM does not name a terminal" in screen.shows("ended 2")


def once(front):
    run = subprocess.run(monitor(front.url, "--once", "--format", "json"), capture_output=True, text=True, env=ENVIRONMENT, check=True)
    schema = json.loads((ROOT / "deployer" / "docs" / "monitor.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(run.stdout)
    validator.validate(document)
    # The schema can fail.
    for key in ("figures", "alerts"):
        assert list(validator.iter_errors({name: value for name, value in document.items() if name != key}))
    assert list(validator.iter_errors(document | {"gateway": {"value": "healthy"}}))
    assert document["figures"]["value"]["since_start"]["notes"] >= 30, document
    print("--once --format json is as the schema says")


def headless(front, sinks):
    """A gateway that fails is told to every channel, and so is its end. One channel fails, which is reported."""
    url = f"http://127.0.0.1:{sinks.webhook.server_address[1]}/services/sEcReT"
    (FOLDER / "url").write_text(url + "\n")
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as closed:
        nobody = closed.server_address[1]
    (FOLDER / "nobody").write_text(f"http://127.0.0.1:{nobody}/services/sEcReT\n")
    channels = {
        "console": {"enabled": True},
        "log_file": {"enabled": True, "path": "alerts.log"},
        "email": {"enabled": True, "smtp_host": "127.0.0.1", "smtp_port": sinks.mail.server_address[1], "tls": "none",
                  "from": "Monitor <monitor@example.org>", "to": ["ada@example.org", "ben@example.org"]},
        "slack": {"enabled": True, "url_file": "nobody"},
        "webhook": {"enabled": True, "url_file": "url"},
        "command": {"enabled": True, "program": ["sh", "-c", 'echo "$DEPLOYER_ALERT $DEPLOYER_ALERT_EVENT" >>told']},
    }
    alerts = {"service_down": {"consecutive_violations": 2, "cooldown_minutes": 10}, "error_share": {"threshold": 0.5}}
    (FOLDER / "alert_config.json").write_text(json.dumps({"alerts": alerts, "notification_channels": channels}))
    command = monitor(front.url, "--headless", "--alerts", str(FOLDER / "alert_config.json"), "--format", "json")
    out, err = open(FOLDER / "headless.out", "w+"), open(FOLDER / "headless.err", "w+")
    child = subprocess.Popen(command, stdout=out, stderr=err, env=ENVIRONMENT)
    said = lambda: pathlib.Path(err.name).read_text()
    told = FOLDER / "told"
    try:
        until("it watches", lambda: '"snapshot"' in said())
        front.mode = "fail"
        started = time.monotonic()
        until("the webhook is told", lambda: sinks.calls)
        print(f"webhook told after {time.monotonic() - started:.1f} s: {sinks.calls[0]['text']}")
        until("a mail arrives", lambda: sinks.mails)
        print(f"mail after {time.monotonic() - started:.1f} s: {sinks.mails[0]['Subject']}")
        until("the failed channel is reported", lambda: "the channel slack failed: no connection" in said())
        front.mode = "pass"
        until("the webhook is told of the end", lambda: len(sinks.calls) == 2)
        until("a mail of the end arrives", lambda: len(sinks.mails) == 2)
        until("the program is told", lambda: told.exists() and len(told.read_text().splitlines()) == 2)
        last = until("a snapshot has the failure of the channel", lambda: next((
            snapshot for snapshot in snapshots(said()) if any(one["channel"] == "slack" and one["error"] for one in snapshot["channels"])), None))
        assert {one["channel"]: one["sent"] for one in last["channels"]}["log_file"] >= 1, last
    finally:
        child.send_signal(signal.SIGINT)
        started = time.monotonic()
        status = child.wait(timeout=10)
    assert status == 130 and time.monotonic() - started < 1, status
    assert [call["event"] for call in sinks.calls] == ["fired", "recovered"], sinks.calls
    assert told.read_text() == "service_down fired\nservice_down recovered\n"
    assert sinks.mails[0]["To"] == "ada@example.org, ben@example.org"
    assert "503" in sinks.mails[0].get_content() and "FIRING service_down" in sinks.mails[0]["Subject"]
    lines = [json.loads(line) for line in (FOLDER / "alerts.log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["fired", "recovered"], lines
    everything = said() + pathlib.Path(out.name).read_text() + json.dumps(sinks.calls)
    assert "sEcReT" not in everything, "a webhook's address was shown"
    print("each channel was told twice, the failing one was reported, no address was shown")


def mail_over_tls(front):
    """A certificate that is not trusted gets no mail and no password; one that is trusted gets both."""
    certificate = [str(FOLDER / "mail.pem"), str(FOLDER / "mail.key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
                    "-out", certificate[0], "-keyout", certificate[1]], check=True, capture_output=True)
    sinks = Sinks(certificate)
    (FOLDER / "password").write_text("pAsSwOrD\n")
    email = {"enabled": True, "smtp_host": "localhost", "smtp_port": sinks.mail.server_address[1], "username": "ada",
             "password_file": "password", "from": "monitor@example.org", "to": ["ada@example.org"]}
    alerts = {"service_down": {"consecutive_violations": 1}}
    (FOLDER / "mail.json").write_text(json.dumps({"alerts": alerts, "notification_channels": {"email": email}}))
    command = monitor(front.url, "--headless", "--alerts", str(FOLDER / "mail.json"))
    front.mode = "fail"
    for trusted in (False, True):
        log = FOLDER / f"mail-{trusted}.err"
        environment = ENVIRONMENT | ({"SSL_CERT_FILE": certificate[0]} if trusted else {})
        with open(log, "w") as err:
            child = subprocess.Popen(command, stdout=err, stderr=err, env=environment)
        try:
            if trusted:
                until("a mail arrives", lambda: sinks.mails)
            else:
                until("the channel is reported", lambda: "the channel email failed: no trusted TLS connection" in log.read_text())
                assert not sinks.mails and not sinks.signed_in
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(timeout=10)
        assert "pAsSwOrD" not in log.read_text()
    assert sinks.signed_in == [[b"ada", b"pAsSwOrD"]], sinks.signed_in
    front.mode = "pass"
    print("mail with STARTTLS and sign-in arrived, and none to a certificate that is not trusted")


def snapshots(text):
    events = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    return [event["snapshot"] for event in events if event["event"] == "snapshot"]


def main():
    front, sinks = Front(), Sinks()
    for check in (dashboard, colours, ends, refused, once):
        check(front)
    headless(front, sinks)
    mail_over_tls(front)


main()
