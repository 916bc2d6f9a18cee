"""What the pods are told to run is run: the built gateway and the model server's entry point, with the variables,
arguments and files of the manifests. What Kubernetes itself would do is not."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest
from cluster import ROOT, Cluster

GATEWAY = pathlib.Path(os.environ["CARGO_TARGET_DIR"], "debug", "gateway")
KEY = "a-key-of-the-kubernetes-checks"
NOTES = 50


@pytest.fixture(scope="module")
def cluster():
    return Cluster()


@pytest.fixture
def config(cluster, tmp_path):
    """The volume `config` as a kubelet writes it: files in a folder of a time, a link to the folder, links to the files."""
    [volume] = [volume for volume in cluster.pod("gateway")["volumes"] if volume["name"] == "config"]
    hashed = subprocess.run([GATEWAY, "hash-key", "corpus"], input=KEY, capture_output=True, text=True, check=True).stdout
    secrets = {"gateway-keys": {"keys.txt": hashed}, "model-server-key": {"key": "0123456789abcdef"}}
    folder = tmp_path / "config"
    files = folder / "..2026_11_30"
    files.mkdir(parents=True)
    for source in volume["projected"]["sources"]:
        if "configMap" in source:
            written = cluster.data(source["configMap"]["name"])
        else:
            written = {item["path"]: secrets[source["secret"]["name"]][item["key"]] for item in source["secret"]["items"]}
        for name, content in written.items():
            (files / name).write_text(content)
            (files / name).chmod(volume["projected"]["defaultMode"])
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data").symlink_to(files.name)
    return folder


def gateway_command(cluster, config):
    arguments = [word.replace("/config/", f"{config}/") for word in cluster.container("gateway")["args"]]
    variables = {key: value.replace("/config/", f"{config}/") for key, value in cluster.environment("gateway").items()}
    return arguments, variables


def check_config(arguments, variables):
    return subprocess.run([GATEWAY, "check-config", *arguments[1:]], env=variables, capture_output=True, text=True)


def test_the_gateway_takes_the_settings_of_its_pod(cluster, config):
    arguments, variables = gateway_command(cluster, config)
    done = check_config(arguments, variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "settings are good: listen 0.0.0.0:8080, engine vllm, 1 model server, auth keys\n"


def test_with_service_links_it_would_not_start(cluster, config):
    arguments, variables = gateway_command(cluster, config)
    service = cluster.one("Service", "gateway")["spec"]
    linked = {"GATEWAY_PORT": f"tcp://10.96.0.7:{service['ports'][0]['port']}", "GATEWAY_SERVICE_HOST": "10.96.0.7"}
    for name, value in linked.items():
        assert check_config(arguments, variables | {name: value}).returncode == 2, name


@contextlib.contextmanager
def running(arguments, variables, folder):
    """The gateway's address on a free port; SIGTERM must end it in good order."""
    with open(folder / "log", "w+") as log:
        process = subprocess.Popen([GATEWAY, *arguments, "--listen", "127.0.0.1:0"], env=variables, stderr=log)
        try:
            with open(folder / "log") as written:
                text = ""
                while not (found := re.search(r"127\.0\.0\.1:[1-9]\d*", "".join(line for line in text.splitlines() if "listening" in line))):
                    assert process.poll() is None, text
                    text += written.read()
            yield f"http://{found[0]}"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def ask(url, **options):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **options)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_without_a_model_it_is_ready_for_kubernetes_and_answers_json(cluster, config, tmp_path):
    arguments, variables = gateway_command(cluster, config)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        variables["VLLM_BASE_URL"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
        variables["GATEWAY_METRICS__LISTEN"] = "127.0.0.1:0"
        with running(arguments, variables, tmp_path) as url:
            for probe in ["readinessProbe", "livenessProbe"]:
                assert ask(url + cluster.container("gateway")[probe]["httpGet"]["path"])[0] == 200
            assert ask(url + "/health/ready")[0] == 503
            headers = {"Content-Type": "application/json", "X-API-Key": KEY}
            status, body = ask(url + "/api/v1/extract", data=b'{"text": "Stage IV melanoma."}', headers=headers)
            assert (status, json.loads(body)["code"]) == (503, "model_loading")


STAND_IN = """#!/usr/bin/env python3
import json, os, pathlib, sys
print(json.dumps([sys.argv[1:], dict(os.environ)]), file=open({calls!r}, "a"))
if "--local-dir" in sys.argv:
    pathlib.Path(sys.argv[sys.argv.index("--local-dir") + 1]).mkdir(parents=True)
"""


def entry_point(cluster, name, tmp_path, **more):
    """Runs a container of the model server's image with stand-ins for `hf` and `vllm`; the calls of these."""
    calls = tmp_path / f"{name}.calls"
    for program in ["hf", "vllm"]:
        (tmp_path / program).write_text(STAND_IN.format(calls=str(calls)))
        (tmp_path / program).chmod(0o755)
    variables = cluster.environment(name) | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MODEL_CACHE": str(tmp_path / "models")} | more
    done = subprocess.run(["bash", ROOT / "config" / "vllm-entrypoint.sh", *cluster.container(name)["args"]], env=variables, capture_output=True, text=True)
    return done, [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []


def test_the_download_fills_the_cache_that_the_server_reads(cluster, tmp_path):
    refused, _ = entry_point(cluster, "download", tmp_path)
    assert refused.returncode == 1 and "VLLM_ADAPTER_REVISION" in refused.stderr, "a revision is to be filled in"
    pinned = {"VLLM_ADAPTER_REVISION": "b" * 40}
    early, _ = entry_point(cluster, "vllm", tmp_path, **pinned)
    assert early.returncode == 1 and "run the service `download` first" in early.stderr
    done, calls = entry_point(cluster, "download", tmp_path, **pinned)
    assert done.returncode == 0 and len(calls) == 2
    for arguments, variables in calls:
        assert "--token" not in arguments and variables["HF_TOKEN_PATH"] == "/run/secrets/hf_token"
    done, [[arguments, variables]] = entry_point(cluster, "vllm", tmp_path, **pinned)
    assert done.returncode == 0 and arguments[0] == "serve"
    for flag, variable in {"--max-num-seqs": "VLLM_MAX_NUM_SEQS", "--max-num-queued-reqs": "VLLM_MAX_QUEUED_REQS", "--max-model-len": "VLLM_MAX_MODEL_LEN"}.items():
        assert arguments[arguments.index(flag) + 1] == cluster.model(variable)
    # vLLM reads the key from there and writes its arguments into the log.
    assert variables["VLLM_API_KEY"] == "model-server-key/key" and "--api-key" not in arguments


def test_the_job_reads_every_note_once(cluster, config, tmp_path):
    """All indexes of the Job, one after the other, against a gateway on rules; then an index whose gateway is away."""
    job, corpus, keys = cluster.one("Job", "corpus")["spec"], tmp_path / "corpus", tmp_path / "keys"
    corpus.mkdir()
    keys.mkdir()
    (keys / "key.txt").write_text(KEY)
    (corpus / "notes.jsonl").write_text("".join(json.dumps({"id": str(number), "text": "Stage IV melanoma."}) + "\n" for number in range(NOTES)))

    def index(number, url):
        words = [word.replace("/corpus/", f"{corpus}/").replace("/keys/", f"{keys}/") for word in cluster.container("corpus")["args"]]
        words[words.index("--server") + 1] = url
        return subprocess.run([GATEWAY, *words], env={"JOB_COMPLETION_INDEX": str(number)}, capture_output=True, text=True)

    arguments, variables = gateway_command(cluster, config)
    with running(arguments, variables | {"GATEWAY_ENGINE": "rules", "GATEWAY_METRICS__LISTEN": "127.0.0.1:0"}, tmp_path) as url:
        for number in range(job["completions"]):
            done = index(number, url)
            assert done.returncode == 0, done.stderr
        again = index(0, url)
        assert again.returncode == 0 and "is whole since an earlier run" in again.stderr
        assert index(job["completions"], url).returncode == 2, "an index that the Job does not have"
    read = [json.loads(line)["id"] for file in corpus.glob("results-*-of-0020.jsonl") for line in file.read_text().splitlines()]
    assert sorted(read, key=int) == [str(number) for number in range(NOTES)] and not list(corpus.glob("*.part"))
    (corpus / "results-0001-of-0020.jsonl").unlink()
    away = index(1, "http://127.0.0.1:9")
    assert away.returncode == 1, away.stderr
