"""Checks of what the objects promise: that they agree with docker-compose.yml, and that times and sizes fit together."""

import re

import promql_parser
import yaml
from cluster import bytes_of, compose_seconds, probe_seconds, text

PAIRS = {"gateway": "gateway", "vllm": "vllm", "download": "download"}
# A load on an L4 is assumed to take so long (not measured).
LOAD_SECONDS = 360
# Of compose's variables: which have another value here, and why.
OTHER_VALUES = {
    "CORS_ORIGINS": "a setting: base/gateway.toml",
    "GATEWAY_AUDIT__PATH": "a file in a pod is lost with it: gateway/docs/kubernetes.md",
    "GATEWAY_AUDIT__KEY_FILE": "the same",
    "VLLM_MAX_QUEUED_REQS": "of several gateways",
}
# Variables that compose's services do not have, and why.
MORE_VARIABLES = {
    "GATEWAY_VLLM__API_KEY_FILE": "compose's network needs no key",
    "VLLM_API_KEY": "the same key",
    "VLLM_MAX_MODEL_LEN": "one list of variables for server and download",
}
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")


def compose(name):
    return yaml.safe_load(text("docker-compose.yml"))["services"][name]


def template_variables():
    lines = (line for line in text("config/compose.env").splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def compose_environment(name):
    """A service's variables with the values of config/compose.env."""
    given = template_variables()
    return {key: VARIABLE.sub(lambda found: given.get(found[1]) or found[2] or "", str(value)) for key, value in compose(name)["environment"].items()}


def check_variables_are_those_of_compose(cluster):
    for name, service in PAIRS.items():
        ours, theirs = cluster.environment(name), compose_environment(service)
        if name == "download":
            ours = {key: value for key, value in ours.items() if key in theirs}
        assert set(theirs) - set(ours) <= set(OTHER_VALUES), set(theirs) - set(ours)
        assert set(ours) - set(theirs) <= set(MORE_VARIABLES), set(ours) - set(theirs)
        for key in set(ours) & set(theirs) - set(OTHER_VALUES):
            assert ours[key] == theirs[key], f"{name}: {key} is {ours[key]!r}, and {theirs[key]!r} in compose"


def check_pods_are_those_of_compose(cluster):
    for name, service in PAIRS.items():
        pod, container, theirs = cluster.pod(name), cluster.container(name), compose(service)
        assert container["args"] == theirs["command"] and "command" not in container
        user = theirs.get("user", "65532:65532")
        # Kubernetes' `restricted` refuses root; here the group of the volumes does what root did.
        expected = "65532:65532" if name == "download" else user
        assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == expected
        assert container["securityContext"]["readOnlyRootFilesystem"] == theirs.get("read_only", False)
        assert theirs["cap_drop"] == container["securityContext"]["capabilities"]["drop"]
        limits = theirs["deploy"]["resources"]["limits"]
        assert bytes_of(container["resources"]["limits"]["memory"]) == bytes_of(limits["memory"])
        assert container["resources"]["limits"].get("cpu") == limits.get("cpus")
        assert bytes_of(container["resources"]["requests"]["memory"]) <= bytes_of(limits["memory"])
        assert pod.get("shareProcessNamespace", False) == theirs.get("init", False)
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod["terminationGracePeriodSeconds"] == compose_seconds(theirs["stop_grace_period"]) + pause
    user = re.search(r"^USER (\S+)$", text("gateway/Dockerfile"), re.M)[1]
    assert user == re.search(r"^USER (\S+)$", text("Dockerfile.vllm"), re.M)[1] == "65532:65532"


def check_the_model_server_has_its_gpu_cache_and_shared_memory(cluster):
    theirs, container = compose("vllm"), cluster.container("vllm")
    [device] = theirs["deploy"]["resources"]["reservations"]["devices"]
    for bound in ["requests", "limits"]:
        assert container["resources"][bound]["nvidia.com/gpu"] == device["count"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {"/models", "/home/model-server/.cache", "/dev/shm"} == set(mounts)
    assert {mount["target"] for mount in theirs["volumes"]} == set(mounts) - {"/dev/shm"}
    volumes = {volume["name"]: volume for volume in cluster.pod("vllm")["volumes"]}
    assert mounts["/models"]["readOnly"] and volumes["model-cache"]["persistentVolumeClaim"]["readOnly"]
    shared = volumes[mounts["/dev/shm"]["name"]]["emptyDir"]
    assert shared["medium"] == "Memory" and bytes_of(shared["sizeLimit"]) == bytes_of(theirs["shm_size"])
    [written] = [mount for mount in cluster.container("download")["volumeMounts"] if mount["name"] == "model-cache"]
    assert written["mountPath"] == "/models" and "readOnly" not in written


def check_only_the_download_sees_the_token(cluster):
    for item in cluster.workloads():
        name = item["metadata"]["name"]
        assert ("hf-token" in str(cluster.pod(name))) == (name == "download"), name
    path = cluster.environment("download")["HF_TOKEN_PATH"]
    assert [mount["mountPath"] for mount in cluster.container("download")["volumeMounts"] if mount["name"] == "token"] == [path]


def check_probes_know_the_load(cluster):
    container = cluster.container("vllm")
    budget = probe_seconds(container["startupProbe"])
    assert budget >= 5 * LOAD_SECONDS and budget == compose_seconds(compose("vllm")["healthcheck"]["start_period"])
    assert cluster.one("Deployment", "vllm")["spec"]["progressDeadlineSeconds"] > budget
    health = {"path": "/health", "port": "http"}
    assert {probe: container[probe]["httpGet"] for probe in ["startupProbe", "readinessProbe", "livenessProbe"]} == dict.fromkeys(
        ["startupProbe", "readinessProbe", "livenessProbe"], health
    )
    readiness, check = container["readinessProbe"], compose("vllm")["healthcheck"]
    assert (readiness["periodSeconds"], readiness["timeoutSeconds"], readiness["failureThreshold"]) == (
        compose_seconds(check["interval"]),
        compose_seconds(check["timeout"]),
        check["retries"],
    )
    assert probe_seconds(container["livenessProbe"]) > probe_seconds(readiness)
    # Neither may ask for the model: a gateway without one has an answer, in JSON.
    gateway = cluster.container("gateway")
    assert {gateway[probe]["httpGet"]["path"] for probe in ["readinessProbe", "livenessProbe"]} == {"/health/live"}
    assert "startupProbe" not in gateway


def check_running_notes_end(cluster):
    drain = int(re.search(r"drain: Duration::from_secs\((\d+)\)", text("gateway/src/config/defaults.rs"))[1])
    assert "drain" not in cluster.generated("gateway-settings")["data"]["gateway.toml"]
    gateway = cluster.pod("gateway")
    pause = cluster.container("gateway")["lifecycle"]["preStop"]["sleep"]["seconds"]
    # The gateway's addresses are known on every node within a few seconds.
    assert pause >= 5 and gateway["terminationGracePeriodSeconds"] > pause + drain + 10
    shutdown = int(re.search(r"--shutdown-timeout (\d+)", text("config/vllm-entrypoint.sh"))[1])
    assert cluster.pod("vllm")["terminationGracePeriodSeconds"] > shutdown
    grace = int(re.search(r"GRACE: Duration = Duration::from_secs\((\d+)\)", text("gateway/src/bulk/stop.rs"))[1])
    assert cluster.pod("corpus")["terminationGracePeriodSeconds"] > grace + 10
    strategy = cluster.one("Deployment", "gateway")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
    # A second GPU may not exist: a new model server would wait for it for ever.
    assert cluster.one("Deployment", "vllm")["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    for name in ["gateway", "vllm"]:
        budget = cluster.one("PodDisruptionBudget", name)["spec"]
        assert budget["maxUnavailable"] == 1 and "minAvailable" not in budget, "a node must be drainable"


def check_as_many_notes_as_the_servers_take(cluster):
    gateways, servers = cluster.one("HorizontalPodAutoscaler", "gateway")["spec"], cluster.scaled()
    each, places = int(cluster.environment("gateway")["GATEWAY_ADMISSION__IN_FLIGHT"]), int(cluster.model("VLLM_MAX_NUM_SEQS"))
    assert gateways["minReplicas"] >= 2
    assert gateways["maxReplicas"] * each <= servers["minReplicaCount"] * int(cluster.model("VLLM_MAX_QUEUED_REQS")), "vLLM would refuse"
    assert gateways["minReplicas"] * each >= servers["maxReplicaCount"] * places, "the last model server would have nothing to do"


def check_scaling_waits_for_the_load(cluster):
    scaled, budget = cluster.scaled(), probe_seconds(cluster.container("vllm")["startupProbe"])
    behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    # cooldownPeriod holds on the way to 0 alone; from 2 to 1 it is the window. Kubernetes takes at most an hour.
    assert budget < behavior["scaleDown"]["stabilizationWindowSeconds"] <= 3600
    assert scaled["cooldownPeriod"] > budget
    assert scaled["minReplicaCount"] >= 1, "the gateway does not queue while no model server is ready, so nothing would wake one"


def check_the_query_asks_for_metrics_that_exist(cluster):
    [trigger] = cluster.scaled()["triggers"]
    assert trigger["type"] == "prometheus" and trigger["metricType"] == "AverageValue"
    assert trigger["metadata"]["threshold"] == cluster.model("VLLM_MAX_NUM_SEQS")
    assert trigger["metadata"]["ignoreNullValues"] == "false", "no samples would be read as nothing to do"
    # The table is held to the registry by a test of the gateway.
    known = dict(re.findall(r"^\| `(gateway_\w+)` \| (.*?) \|", text("gateway/docs/operating.md"), re.M))
    asked = selectors(promql_parser.parse(trigger["metadata"]["query"]))
    assert {selector.name for selector in asked} == {"gateway_upstream_in_flight", "gateway_queue_depth"}
    for selector in asked:
        assert selector.name in known
        for matcher in selector.matchers.matchers:
            assert matcher.name == "namespace" and matcher.value == cluster.one("Deployment", "gateway")["metadata"]["namespace"]
    monitor = cluster.one("PodMonitor", "gateway")["spec"]
    # config/alerts.yaml asks for job="gateway".
    assert cluster.template("gateway")["metadata"]["labels"][monitor["jobLabel"]] == "gateway"


def selectors(expression):
    """Every vector selector of a PromQL expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        return [expression]
    found = []
    for part in ["expr", "lhs", "rhs", "vector_selector", "args"]:
        value = getattr(expression, part, None)
        for child in value if isinstance(value, list) else [value] if value is not None else []:
            found += selectors(child)
    return found


def check_the_job_knows_the_exit_codes(cluster):
    job, container = cluster.one("Job", "corpus")["spec"], cluster.container("corpus")
    arguments = container["args"]
    assert arguments[0] == "extract" and "--shard-from-env" in arguments
    assert job["completionMode"] == "Indexed" and cluster.pod("corpus")["restartPolicy"] == "Never"
    assert int(arguments[arguments.index("--shard-count") + 1]) == job["completions"] == job["maxFailedIndexes"]
    assert 1 <= job["parallelism"] <= job["completions"] and job["backoffLimitPerIndex"] >= 5
    codes = {1: "Count", 137: "Count", 143: "Count", 2: "FailIndex", 3: "FailIndex"}
    for code, expected in codes.items():
        assert action(job["podFailurePolicy"]["rules"], container["name"], code=code) == expected, code
    assert action(job["podFailurePolicy"]["rules"], container["name"], code=143, condition="DisruptionTarget") == "Ignore"


def action(rules, container, code, condition=None):
    """What Kubernetes does with a pod that ended so: the first rule decides that fits, and else it counts."""
    for rule in rules:
        if "onExitCodes" in rule and rule["onExitCodes"].get("containerName") == container:
            inside = code in rule["onExitCodes"]["values"]
            if inside == (rule["onExitCodes"]["operator"] == "In"):
                return rule["action"]
        if condition in [pattern["type"] for pattern in rule.get("onPodConditions", []) if pattern["status"] == "True"]:
            return rule["action"]
    return "Count"


CHECKS = [value for name, value in list(globals().items()) if name.startswith("check_")]
