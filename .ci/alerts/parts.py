"""What recording and rehearsal share: the built gateway and its model servers as processes, notes, and metrics."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GATEWAY = pathlib.Path(os.environ["CARGO_TARGET_DIR"], "debug", "gateway")
NOTE = "Stage IV lung adenocarcinoma on osimertinib."
PLAIN_NOTE = "She feels well today and will come again in spring."


def until(what, is_so, seconds=60):
    """Waits until something is so; says what was waited for if it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = is_so()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"not within {seconds} s: {what}")


def fetch(url, body=None, seconds=90, key=None):
    """The status and the text of an answer; status 0 without one."""
    data = None if body is None else json.dumps(body).encode()
    headers = ({"Content-Type": "application/json"} if data else {}) | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Process:
    """A program that ends with the `with` block."""

    def __init__(self, command, environment=None, folder=None, log=None):
        self.log = log
        output = open(log, "w") if log else subprocess.PIPE
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | (environment or {})
        self.child = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT if log else None, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """SIGKILL, as a crash or the kernel ends a program."""
        self.child.kill()
        self.child.wait()

    def said(self):
        return pathlib.Path(self.log).read_text()


class ModelServer(Process):
    def __init__(self, port=0):
        super().__init__([sys.executable, str(HERE / "model_server.py"), str(port)])
        self.port = int(self.child.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def act(self, **wanted):
        status, _ = fetch(f"{self.url}/act", wanted)
        assert status == 200


class Gateway(Process):
    """The built gateway before model servers, on a free port. `key`: what notes are read with, if it has keys."""

    def __init__(self, folder, urls, key=None, **settings):
        self.key = key
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        environment = {f"GATEWAY_{name}": value for name, value in settings.items()}
        command = [str(GATEWAY), "serve", "--listen", "127.0.0.1:0", "--engine", "vllm", "--vllm-url", ",".join(urls)]
        super().__init__(command, environment, folder, folder / "gateway.log")
        found = until("the gateway listens", lambda: re.search(r"listening.*?(127\.0\.0\.1:[1-9][0-9]*)", self.said()))
        self.address = found[1]
        self.url = f"http://{self.address}"

    def series(self):
        """Each series and its value, as Prometheus would read them."""
        status, text = fetch(f"{self.url}/metrics", key=self.key)
        assert status == 200, text
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
        return {series: float(value) for series, value in lines}

    def state(self, state):
        """How many model servers are in this state."""
        series = self.series().items()
        return sum(value for name, value in series if name.startswith("gateway_upstream_replicas{") and f'state="{state}"' in name)

    def read(self, count, note=NOTE, at_once=16):
        """Has notes read, and returns the statuses."""
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            calls = [pool.submit(fetch, f"{self.url}/api/v1/extract", {"text": note}, key=self.key) for _ in range(count)]
            return [call.result()[0] for call in calls]
