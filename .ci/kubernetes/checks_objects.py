"""Checks of the objects by themselves: fields, references, ports, networks, confinement. Each takes a Cluster."""

import re

import kubernetes_validate
from cluster import APPLIED, Cluster, labels_match, text

# The oldest with `preStop.sleep` switched on, and the newest that the schemas know.
VERSIONS = ["1.30", "1.37"]
# Definitions of others (KEDA, Prometheus Operator): custom.mjs checks them.
CUSTOM = {"ScaledObject", "PodMonitor"}
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
CLIENT = {"matchLabels": {"extraction-gateway/client": "true"}}


def check_every_field_is_known(cluster):
    for item in cluster.objects:
        if item["kind"] not in CUSTOM:
            for version in VERSIONS:
                kubernetes_validate.validate(item, version, strict=True)


def check_one_name_is_one_object(cluster):
    for name in APPLIED:
        names = [Cluster.name(item) for item in cluster.applied[name]]
        assert len(names) == len(set(names))
        for item in cluster.applied[name]:
            assert item in cluster.objects, f"{Cluster.name(item)} differs between the folders"
            namespace = item["metadata"].get("namespace", item["metadata"]["name"] if item["kind"] == "Namespace" else None)
            assert namespace == "extraction-gateway"


def check_selectors_select_what_they_mean(cluster):
    for item in cluster.of_kind("Deployment"):
        template = item["spec"]["template"]["metadata"]["labels"]
        assert labels_match(item["spec"]["selector"], template) and item["spec"]["selector"]["matchLabels"]
    for item in cluster.of_kind("Service"):
        assert cluster.selected({"matchLabels": item["spec"]["selector"]}) == [item["metadata"]["name"]]
    for item in cluster.of_kind("PodDisruptionBudget", "PodMonitor"):
        assert cluster.selected(item["spec"]["selector"]) == [item["metadata"]["name"]]
    for item in cluster.of_kind("NetworkPolicy"):
        name = item["metadata"]["name"]
        expected = {"closed": ["gateway", "vllm", "download", "corpus"], "names": ["gateway", "download", "corpus"]}.get(name, [name])
        assert sorted(cluster.selected(item["spec"]["podSelector"])) == sorted(expected), name
    [spread] = cluster.pod("gateway")["topologySpreadConstraints"]
    assert cluster.selected(spread["labelSelector"]) == ["gateway"]


def check_what_scales_owns_the_number(cluster):
    [gateway] = cluster.of_kind("HorizontalPodAutoscaler")
    for target in [gateway["spec"]["scaleTargetRef"]["name"], cluster.scaled()["scaleTargetRef"]["name"]]:
        assert "replicas" not in cluster.one("Deployment", target)["spec"]
    assert gateway["spec"]["scaleTargetRef"]["name"] == "gateway" and cluster.scaled()["scaleTargetRef"]["name"] == "vllm"
    assert "cpu" in cluster.container("gateway")["resources"]["requests"], "without it the autoscaler computes nothing"


def check_ports_match(cluster):
    listens = {
        "gateway": int(cluster.environment("gateway")["GATEWAY_LISTEN"].rpartition(":")[2]),
        "vllm": int(re.search(r"--host 0\.0\.0\.0 --port (\d+)", text("config/vllm-entrypoint.sh"))[1]),
    }
    for name, port in listens.items():
        container = cluster.container(name)
        assert container["ports"] == [{"name": "http", "containerPort": port}]
        assert cluster.one("Service", name)["spec"]["ports"] == [{"name": "http", "port": port, "targetPort": "http"}]
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
            assert container.get(probe, {}).get("httpGet", {"port": "http"})["port"] == "http"
        for rule in cluster.rules(name, "ingress"):
            assert rule["ports"] == [{"protocol": "TCP", "port": port}]
    assert cluster.environment("gateway")["VLLM_BASE_URL"] == f"http://vllm:{listens['vllm']}"
    arguments = cluster.container("corpus")["args"]
    assert arguments[arguments.index("--server") + 1] == f"http://gateway:{listens['gateway']}"
    [endpoint] = cluster.one("PodMonitor", "gateway")["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")


def check_mounts_have_volumes(cluster):
    for item in cluster.workloads():
        name = item["metadata"]["name"]
        volumes = {volume["name"]: volume for volume in cluster.pod(name)["volumes"]}
        assert set(volumes) == {mount["name"] for mount in cluster.container(name)["volumeMounts"]}
        for volume in volumes.values():
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert claim == "corpus" or cluster.one("PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteMany"]
        for mount in cluster.container(name)["volumeMounts"]:
            kind = set(volumes[mount["name"]]) & {"projected", "secret", "configMap"}
            assert not kind or mount["readOnly"]


def secrets(cluster):
    """NAME/KEY of every Secret that a pod or a monitor asks for."""
    found = set()

    def walk(value):
        if isinstance(value, dict):
            if "secretKeyRef" in value:
                found.add("{name}/{key}".format(**value["secretKeyRef"]))
            if "credentials" in value:
                found.add("{name}/{key}".format(**value["credentials"]))
            if "secret" in value and "items" in value["secret"]:
                found.update(f"{value['secret']['name']}/{item['key']}" for item in value["secret"]["items"])
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    walk(cluster.objects)
    for item in cluster.workloads():
        name = item["metadata"]["name"]
        for volume in cluster.pod(name)["volumes"]:
            if "secret" in volume:
                [mount] = [mount for mount in cluster.container(name)["volumeMounts"] if mount["name"] == volume["name"]]
                arguments = " ".join(cluster.container(name)["args"])
                key = mount.get("subPath") or re.search(re.escape(mount["mountPath"]) + r"/(\S+)", arguments)[1]
                found.add(f"{volume['secret']['secretName']}/{key}")
    return found


def check_secrets_are_made_by_hand_and_documented(cluster):
    assert not cluster.of_kind("Secret")
    document = text("gateway/docs/kubernetes.md")
    made = re.findall(r"create secret generic (\S+) (?:.*?)--from-file=([\w.-]+)=", document)
    assert {f"{name}/{key}" for name, key in made} == secrets(cluster)
    # Readable for the group that the pod has, and for nobody else.
    for item in cluster.workloads():
        pod = cluster.pod(item["metadata"]["name"])
        for volume in pod["volumes"]:
            if "secret" in volume or "projected" in volume:
                assert volume.get("secret", volume.get("projected"))["defaultMode"] == 0o440
                assert pod["securityContext"]["fsGroup"] == 65532
    for item in cluster.of_kind("ConfigMap"):
        assert not re.search(r"hf_[A-Za-z0-9]{8}|[0-9a-f]{64}|BEGIN ", str(item["data"]))


def check_every_pod_is_confined(cluster):
    assert cluster.one("Namespace", "extraction-gateway")["metadata"]["labels"] == RESTRICTED
    for item in cluster.workloads():
        name = item["metadata"]["name"]
        pod, container = cluster.pod(name), cluster.container(name)
        assert "initContainers" not in pod and not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["automountServiceAccountToken"] is False
        # GATEWAY_PORT=tcp://... from a Service `gateway` is a setting that the gateway does not know: it would not start.
        assert pod["enableServiceLinks"] is False
        assert all("hostPath" not in volume for volume in pod["volumes"])


def check_the_model_server_is_reached_by_the_gateway_alone(cluster):
    [rule] = cluster.rules("vllm", "ingress")
    [source] = rule["from"]
    assert set(source) == {"podSelector"} and cluster.selected(source["podSelector"]) == ["gateway"]
    assert cluster.rules("vllm", "egress") == [], "it looks nothing up, and sends nothing out"


def check_networks_are_closed(cluster):
    for name in APPLIED:
        [closed] = [item["spec"] for item in cluster.applied[name] if Cluster.name(item) == "NetworkPolicy/closed"]
        assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    [rule] = cluster.rules("gateway", "ingress")
    assert rule["from"] == [{"namespaceSelector": CLIENT}, {"podSelector": CLIENT}]
    assert labels_match(CLIENT, cluster.template("corpus")["metadata"]["labels"])
    for name in ["download", "corpus"]:
        assert cluster.rules(name, "ingress") == []
    for name, reached in {"gateway": ["vllm"], "corpus": ["gateway"]}.items():
        [names, rule] = sorted(cluster.rules(name, "egress"), key=lambda rule: len(rule["ports"]), reverse=True)
        assert [port["port"] for port in names["ports"]] == [53, 53]
        assert [found for peer in rule["to"] for found in cluster.selected(peer["podSelector"])] == reached
        assert rule["ports"][0]["port"] == cluster.container(reached[0])["ports"][0]["containerPort"]


def check_a_placeholder_is_no_image(cluster):
    reference = re.compile(r"[a-z0-9.:/_-]+@sha256:[0-9a-f]{64}")
    for item in cluster.workloads():
        image = cluster.container(item["metadata"]["name"])["image"]
        # In capitals no reference is valid, so nothing of this name can be pulled from anywhere.
        assert re.fullmatch(r"REGISTRY/extraction-gateway/(gateway|vllm)@sha256:DIGEST", image) or reference.fullmatch(image), image


CHECKS = [value for name, value in list(globals().items()) if name.startswith("check_")]
