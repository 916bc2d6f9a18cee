"""Profile tls: Debian's Caddy with the Caddyfile as it is shipped, its own authority for the name `localhost`."""

import concurrent.futures
import ssl
import urllib.error
import urllib.request

import pytest
from project import NOTE, Process, Project, docker, image, wait_until

# The image named in the compose file is on Docker Hub. Two runs on one machine: ports that are free.
OVERRIDE = """services:
  caddy:
    image: ${CADDY_IMAGE}
    ports: !override ["127.0.0.1:0:80", "127.0.0.1:0:443"]
"""


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    with Project(tmp_path_factory.mktemp("tls"), "tls", "tls", {}, DOMAIN="localhost", CADDY_IMAGE=image("caddy")) as stack:
        (stack.folder / "caddy.yml").write_text(OVERRIDE)
        stack.files.append("caddy.yml")
        stack.start()
        yield stack


def port_of(stack, port):
    return stack.url(service="caddy", port=port).rsplit(":", 1)[1]


def over_tls(stack, path, data=None, headers=None):
    """As a client that trusts Caddy's authority asks."""
    authority = stack.compose("exec", "caddy", "cat", "/data/caddy/pki/authorities/local/root.crt").stdout
    context = ssl.create_default_context(cadata=authority)
    request = urllib.request.Request(f"https://localhost:{port_of(stack, 443)}{path}", data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def note(stack, text=NOTE, key=None):
    body = f'{{"text": "{text}"}}'.encode()
    return over_tls(stack, "/api/v1/extract", body, {"X-API-Key": key or stack.key, "Content-Type": "application/json"})


def test_a_note_goes_through_caddy(tls):
    assert over_tls(tls, "/health/ready")[0] == 200
    status, text = note(tls)
    assert status == 200 and '"treatment":"osimertinib"' in text
    assert note(tls, key="wrong")[0] == 401


def test_without_tls_caddy_sends_to_tls(tls):
    done = docker("run", "--rm", "--network", "host", image("debian"), "wget", "--server-response", "--max-redirect=0", "--output-document=-", f"http://localhost:{port_of(tls, 80)}/ui", check=False)
    assert "308 Permanent Redirect" in done.stderr and "Location: https://localhost/ui" in done.stderr


def test_caddy_has_one_capability(tls):
    process = Process(tls.container("caddy"))
    net_bind_service = 1 << 10
    for kind in ["CapPrm", "CapEff", "CapBnd"]:
        assert int(process.status[kind], 16) == net_bind_service, kind
    assert (process.status["NoNewPrivs"], process.status["Seccomp"]) == ("1", "2")
    assert "ro" in process.mount_options("/") and "ro" in process.mount_options("/etc/caddy/Caddyfile")
    assert process.limit("memory", "memory.limit_in_bytes", "memory.max") == str(256 << 20)
    wait_until(lambda: tls.container("caddy")["State"]["Health"]["Status"] == "healthy", 60, "Caddy's own health check")


def test_a_note_under_way_ends_well_when_all_is_stopped(tls):
    held = tls.logs("vllm").count("holds a note")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(note, tls, f"{NOTE} hold 20 s")
        wait_until(lambda: tls.logs("vllm").count("holds a note") > held, 20, "the note at the model server")
        tls.compose("stop")
        assert answer.result(60)[0] == 200
    assert {service: tls.container(service)["State"]["ExitCode"] for service in ["gateway", "caddy"]} == {"gateway": 0, "caddy": 0}
