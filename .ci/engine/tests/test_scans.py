"""config/compose.scans.yml: the image of gateway/Dockerfile.ocr beside profile cpu. Drawn pages are read through the gateway."""

import concurrent.futures
import json
import shutil
import subprocess

import draw
import pytest
import requests
import yaml
from project import ROOT, Process, Project, docker, image, wait_until
from test_cpu import declared_limits, nothing_but_a_user
from test_gpu import CONNECT, tried

LETTER = (ROOT / ".ci" / "scans" / "letters.txt").read_text().split("====")[0].strip()
# The heading that OCR damages most.
DAMAGED = LETTER.replace("Plan:", "Plan;")
# What is made to harm, and what is said of it. Poppler draws nothing of the form.
BOMBS = {draw.endless_form: "no_text", draw.many_pages: "invalid_request", draw.large_png: "invalid_request"}
# A TCP connection to each HOST:PORT; the image has no Python.
SHELL_CONNECT = """
for target in "$@"; do
  if timeout 3 bash -c ": </dev/tcp/${target%:*}/${target##*:}" 2>/dev/null; then echo "$target open"; else echo "$target closed"; fi
done
"""


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    with Project(tmp_path_factory.mktemp("scans"), "scans", "cpu", OCR_IMAGE=image("ocr"), COMPOSE_PROFILES="cpu,ocr") as stack:
        shutil.copy(ROOT / "config" / "compose.scans.yml", stack.folder / "config")
        stack.files.append("config/compose.scans.yml")
        stack.start()
        yield stack


def scan(stack, body):
    headers = {"X-API-Key": stack.key, "Content-Type": "application/octet-stream"}
    return requests.post(stack.url("/api/v1/scan"), data=body, headers=headers, timeout=120)


def page(letter=LETTER, form="PNG", **options):
    return draw.saved(draw.page(letter), form, **options)


def read(stack, body):
    """The text of a scan, whose marks stand where they say."""
    answer = scan(stack, body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["needs_review"] is True and told["ocr"].startswith("tesseract 5"), told
    assert all(told["transcript"][mark["start"]:mark["end"]] == mark["text"] for mark in told["words_to_review"])
    return told


def test_the_image_says_how_it_runs():
    made = json.loads(docker("image", "inspect", image("ocr")).stdout)[0]["Config"]
    assert (made["User"], made["Entrypoint"], made["Cmd"]) == ("65532:65532", ["/gateway"], ["ocr", "--listen", "0.0.0.0:8090"])
    assert list(made["ExposedPorts"]) == ["8090/tcp"] and "healthcheck" in made["Healthcheck"]["Test"]


def test_the_ocr_server_is_confined_as_declared(scans):
    container = scans.container("ocr")
    assert container["State"]["Health"]["Status"] == "healthy"
    process = declared_limits(container, 2 << 30, 128)
    nothing_but_a_user(process)
    assert int(process.limit("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]) == 2 * 100_000
    assert "ro" in process.mount_options("/") and {"rw", "noexec", "nosuid", "nodev"} <= set(process.mount_options("/tmp"))
    assert container["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}}


def test_the_ocr_server_has_no_way_out_and_the_gateway_alone_a_way_in(scans):
    ocr, gateway = scans.container("ocr"), scans.container("gateway-cpu")
    assert list(ocr["NetworkSettings"]["Networks"]) == [f"{scans.name}_scans"]
    assert not [port for port in ocr["NetworkSettings"]["Ports"].values() if port], "no port of the host"
    outside = gateway["NetworkSettings"]["Networks"][f"{scans.name}_outside"]
    targets = [f"{outside['Gateway']}:{scans.url().rsplit(':', 1)[1]}", f"{outside['IPAddress']}:8080", "1.1.1.1:443", "deb.debian.org:80", "gateway-cpu:8080"]
    seen = tried(scans.compose("exec", "ocr", "bash", "-c", SHELL_CONNECT, "-", *targets).stdout)
    assert seen.pop("gateway-cpu:8080") == "open", "the test can tell"
    assert len(seen) == 4 and set(seen.values()) == {"closed"}, seen
    address = ocr["NetworkSettings"]["Networks"][f"{scans.name}_scans"]["IPAddress"]
    for network in [f"{scans.name}_outside", "bridge"]:
        done = docker("run", "--rm", "--network", network, image("debian"), "python3", "-c", CONNECT, f"{address}:8090", "ocr:8090")
        seen = tried(done.stdout)
        assert len(seen) == 2 and all("open" not in word for word in seen.values()), (network, seen)


def test_a_drawn_page_comes_back_as_text_with_marks(scans):
    told = read(scans, page(DAMAGED, dpi=(150, 150)))
    assert "Osimertinib 80 mg daily since March 2024 with a partial response." in told["transcript"]
    marked = {(mark["text"], mark["reason"]) for mark in told["words_to_review"]}
    assert ("Plan;", "heading") in marked, marked
    # A person has approved it: what is planned is not given.
    record = scans.extract(told["transcript"]).json()
    assert "osimertinib" in record["treatment"].lower() and "pemetrexed" not in record["treatment"], record


def test_pages_of_every_form_are_read_on_a_disk_that_cannot_be_written(scans):
    # Leptonica puts a JPEG and a TIFF into temporary files, for which /tmp is the one place.
    for form, more in [("JPEG", {}), ("PDF", {}), ("TIFF", {"save_all": True, "append_images": [draw.page("Plan")]})]:
        told = read(scans, page(form=form, **more))
        assert told["pages"] == 1 + bool(more) and "Osimertinib" in told["transcript"], told
    # The program of `init: true` is put there by the engine.
    written = docker("diff", scans.container("ocr")["Id"]).stdout.splitlines()
    assert set(written) <= {"C /usr", "C /usr/sbin", "A /usr/sbin/docker-init"}, written


def test_what_is_made_to_harm_ends_soon_and_the_next_page_is_read(scans):
    before = scans.container("ocr")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda make: scan(scans, make()), BOMBS))
    for (make, code), answer in zip(BOMBS.items(), answers, strict=True):
        assert (answer.status_code, answer.json()["code"]) == (422, code), (make.__doc__, answer.text)
        assert answer.elapsed.total_seconds() < 60, make.__doc__
    assert "Osimertinib" in read(scans, page())["transcript"]
    after = scans.container("ocr")
    assert after["RestartCount"] == before["RestartCount"] and after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert not after["State"]["OOMKilled"]


def programs(stack):
    """The programs that run in the container."""
    lines = docker("top", stack.container("ocr")["Id"], "-o", "pid,comm").stdout.splitlines()[1:]
    return sorted(line.split()[1] for line in lines)


def test_a_scan_that_takes_too_long_ends_with_its_programs(scans):
    idle = programs(scans)
    override = {"services": {"ocr": {"command": ["ocr", "--listen", "0.0.0.0:8090", "--seconds", "4"]}}}
    (scans.folder / "slow.yml").write_text(yaml.safe_dump(override))
    scans.files.append("slow.yml")
    try:
        scans.up("--wait", "--wait-timeout", "60", "ocr")
        answer = scan(scans, draw.strokes())
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded"), answer.text
        assert answer.elapsed.total_seconds() < 20
        wait_until(lambda: programs(scans) == idle, 10, "its programs have ended")
        assert "Osimertinib" in read(scans, page())["transcript"]
    finally:
        scans.files.remove("slow.yml")
        scans.up("--wait", "--wait-timeout", "60", "ocr")


def test_without_the_ocr_server_scans_are_refused_and_notes_are_read(scans):
    scans.compose("stop", "ocr")
    assert scans.container("ocr")["State"]["ExitCode"] == 0
    answer = scan(scans, page())
    assert (answer.status_code, answer.json()["code"]) == (503, "upstream_unavailable"), answer.text
    assert int(answer.headers["Retry-After"]) > 0 and "OCR server cannot be reached" in answer.json()["detail"]
    assert scans.extract().json()["treatment"] == "osimertinib" and scans.get("/health/ready").status_code == 200
    scans.up("--wait", "--wait-timeout", "60", "ocr")
    assert "Osimertinib" in read(scans, page())["transcript"]


def test_an_ocr_server_that_is_killed_starts_again(scans):
    before, idle = scans.container("ocr"), programs(scans)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(scan, scans, draw.strokes())
        wait_until(lambda: programs(scans) != idle, 30, "the scan is being read")
        subprocess.run(["kill", "-KILL", str(before["State"]["Pid"])], check=True)
        answer = answer.result(60)
    assert answer.status_code in {502, 503} and answer.json()["code"].startswith("upstream_"), answer.text
    wait_until(lambda: scans.container("ocr")["RestartCount"] == before["RestartCount"] + 1, 30, "started again")
    wait_until(lambda: scans.container("ocr")["State"]["Health"]["Status"] == "healthy", 30, "healthy again")
    assert "Osimertinib" in read(scans, page())["transcript"]


def test_no_log_has_text_of_a_scan(scans):
    for service in ["ocr", "gateway-cpu"]:
        assert "scan" in scans.logs(service) and "osimertinib" not in scans.logs(service).lower(), service
