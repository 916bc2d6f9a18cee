"""config/batch.yaml: what it does with the exit codes of a shard, and what it costs when nothing is queued."""

import fnmatch
import re

import stack
import yaml


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, of which the names are enough here."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: node.value)


def resources():
    return yaml.load(stack.text("config/batch.yaml"), Loader)["Resources"]


def action(strategy, **ended):
    """What Batch does with a job that ended so: the first entry decides of which all conditions fit."""
    for entry in strategy:
        conditions = {key: value for key, value in entry.items() if key != "Action"}
        if all(fnmatch.fnmatchcase(ended.get(key, ""), value) for key, value in conditions.items()):
            return entry["Action"]
    return "RETRY"


def test_each_exit_code_is_tried_again_or_not():
    retry = resources()["Job"]["Properties"]["RetryStrategy"]
    assert 1 <= retry["Attempts"] <= 10 and len(retry["EvaluateOnExit"]) <= 5
    for code, expected in {1: "RETRY", 137: "RETRY", 2: "EXIT", 3: "EXIT", 101: "EXIT", 127: "EXIT"}.items():
        ended = {"OnExitCode": str(code), "OnReason": "Essential container in task exited", "OnStatusReason": "Essential container in task exited"}
        assert action(retry["EvaluateOnExit"], **ended) == expected, code
    spot = {"OnStatusReason": "Host EC2 (instance i-0123) terminated.", "OnExitCode": "143"}
    assert action(retry["EvaluateOnExit"], **spot) == "RETRY"


def test_the_codes_are_those_of_the_program():
    document = stack.text("gateway/docs/cluster.md")
    section = document.split("## Exit codes of a shard")[1].split("## ")[0]
    assert re.findall(r"^\| (\d+) \|", section, re.M) == ["0", "3", "1", "2"]


def test_nothing_runs_while_nothing_is_queued():
    compute = resources()["ComputeEnvironment"]["Properties"]["ComputeResources"]
    assert compute["MinvCpus"] == 0 and "DesiredvCpus" not in compute and compute["Type"] == "SPOT"


def test_the_model_server_ends_with_the_gateway_and_both_fit_on_a_box():
    [task] = resources()["Job"]["Properties"]["EcsProperties"]["TaskProperties"]
    model, gateway = task["Containers"]
    assert (model["Essential"], gateway["Essential"]) == (False, True)
    wanted = {(container["Name"], need["Type"]): int(need["Value"]) for container in (model, gateway) for need in container["ResourceRequirements"]}
    # A g6.2xlarge: 8 cores, 32 GiB of which the agent and the system keep some.
    assert wanted["model", "GPU"] == 1 and ("gateway", "GPU") not in wanted
    assert wanted["model", "VCPU"] + wanted["gateway", "VCPU"] <= 8
    assert wanted["model", "MEMORY"] + wanted["gateway", "MEMORY"] <= 29_000
    assert "--shard-from-env" in gateway["Command"]
