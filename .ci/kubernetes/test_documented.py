"""The commands of gateway/docs/kubernetes.md that make keys and secrets, run as they stand there; kubectl as a dry run."""

import base64
import os
import pathlib
import re
import shlex
import subprocess

import yaml
from checks_objects import secrets
from cluster import KUBECTL, Cluster, text


def blocks(heading):
    section = re.search(rf"^## {heading}\n(.*?)^## ", text("gateway/docs/kubernetes.md"), re.M | re.S)[1]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.M | re.S)


def test_keys_and_secrets_are_made_as_documented(tmp_path):
    [(_, keys), _, (_, commands)] = blocks("Keys and secrets")
    path = f"{pathlib.Path(os.environ['CARGO_TARGET_DIR'], 'debug').resolve()}:{os.environ['PATH']}"
    subprocess.run(["bash", "-euo", "pipefail", "-c", keys], cwd=tmp_path, env={"PATH": path}, check=True)
    made = {}
    for line in re.findall(r"^\$ kubectl (create secret .*)$", commands, re.M):
        command = [KUBECTL, *shlex.split(line), "--dry-run=client", "--output=yaml"]
        done = subprocess.run(command, cwd=tmp_path, input="hf_token\n", capture_output=True, text=True, env={"HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        secret = yaml.safe_load(done.stdout)
        made |= {f"{secret['metadata']['name']}/{key}": base64.b64decode(value) for key, value in secret["data"].items()}
    assert set(made) == secrets(Cluster())
    assert re.fullmatch(rb"[0-9a-f]{64}", made["model-server-key/key"]), "a new line at its end would be part of the key"
    assert made["gateway-keys/keys.txt"].endswith(b" metrics\n")


def test_what_is_applied_is_there():
    document = text("gateway/docs/kubernetes.md") + text("gateway/docs/cluster.md")
    applied = set(re.findall(r"apply -[kf] config/kubernetes/(\S+)", document))
    assert applied == {*Cluster().applied, "site/namespace.yaml"}
