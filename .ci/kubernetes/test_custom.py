"""Objects of KEDA and of the Prometheus Operator fit their definitions (npm's @kubernetes-models), strictly."""

import copy
import json
import os
import pathlib
import subprocess

import pytest
from checks_objects import CUSTOM
from cluster import Cluster


def problems(objects):
    script = pathlib.Path(__file__).with_name("custom.mjs")
    done = subprocess.run(["node", script, os.environ["KUBERNETES_MODULES"]], input=json.dumps(objects), capture_output=True, text=True)
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def objects():
    return Cluster().of_kind(*CUSTOM)


def test_they_fit(objects):
    assert {item["kind"] for item in objects} == CUSTOM
    assert problems(objects) == ""


def test_mistakes_are_found(objects):
    def spoilt(kind, change):
        [item] = [copy.deepcopy(item) for item in objects if item["kind"] == kind]
        change(item["spec"])
        return item

    mistakes = [
        spoilt("ScaledObject", lambda spec: spec.update(minReplicaCounts=1)),
        spoilt("ScaledObject", lambda spec: spec["triggers"][0]["metadata"].update(threshold=32)),
        spoilt("ScaledObject", lambda spec: spec["advanced"]["horizontalPodAutoscalerConfig"].update(behaviour={})),
        spoilt("PodMonitor", lambda spec: spec["podMetricsEndpoints"][0]["authorization"].update(credential={})),
        spoilt("PodMonitor", lambda spec: spec["podMetricsEndpoints"][0].update(interval=15)),
    ]
    found = problems(mistakes)
    for word in ["minReplicaCounts", "threshold must be string", "behaviour", "credential", "interval must be string"]:
        assert word in found, found
