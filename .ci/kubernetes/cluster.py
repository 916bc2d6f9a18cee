"""config/kubernetes as kubectl renders it, and what the checks look up in it. Changes nothing."""

import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config" / "kubernetes"
KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
# What `kubectl apply -k` is called with, and the folders that each is made of.
APPLIED = {"service": {"service", "base", "site"}, "download": {"download", "site"}, "corpus": {"corpus", "site"}}


def text(path):
    return (ROOT / path).read_text()


def labels_match(selector, labels):
    """Whether a label selector selects these labels; an empty one selects everything."""
    for expression in selector.get("matchExpressions", []):
        inside = labels.get(expression["key"]) in expression["values"]
        if inside != {"In": True, "NotIn": False}[expression["operator"]]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


class Cluster:
    """The objects of the three folders, each as it is applied."""

    def __init__(self, folder=FOLDER, unchanged=None):
        """`unchanged` has what need not be rendered again: name and objects."""
        self.applied = {name: (unchanged or {}).get(name) or self.render(folder / name) for name in APPLIED}
        # One object may come with several folders; it is the same each time.
        self.objects = list({self.name(item): item for items in self.applied.values() for item in items}.values())

    @staticmethod
    def render(folder):
        done = subprocess.run([KUBECTL, "kustomize", folder], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return list(yaml.safe_load_all(done.stdout))

    @staticmethod
    def name(item):
        return f"{item['kind']}/{item['metadata']['name']}"

    def of_kind(self, *kinds):
        return [item for item in self.objects if item["kind"] in kinds]

    def one(self, kind, name):
        [found] = [item for item in self.of_kind(kind) if item["metadata"]["name"] == name]
        return found

    def generated(self, name):
        """A ConfigMap whose name ends in a digest of its content."""
        [found] = [item for item in self.of_kind("ConfigMap") if item["metadata"]["name"].rpartition("-")[0] == name]
        return found

    def workloads(self):
        return self.of_kind("Deployment", "Job")

    def template(self, name):
        """The pod of a Deployment or Job."""
        [found] = [item["spec"]["template"] for item in self.workloads() if item["metadata"]["name"] == name]
        return found

    def pod(self, name):
        return self.template(name)["spec"]

    def container(self, name):
        [container] = self.pod(name)["containers"]
        return container

    def selected(self, selector):
        """The workloads whose pods a selector selects."""
        return [item["metadata"]["name"] for item in self.workloads() if labels_match(selector, item["spec"]["template"]["metadata"]["labels"])]

    def environment(self, name):
        """The variables of a container: their values, and SECRET/KEY for what a Secret holds."""
        container, values = self.container(name), {}
        for source in container.get("envFrom", []):
            values |= self.data(source["configMapRef"]["name"])
        for variable in container.get("env", []):
            source = variable.get("valueFrom", {})
            if "configMapKeyRef" in source:
                values[variable["name"]] = self.data(source["configMapKeyRef"]["name"])[source["configMapKeyRef"]["key"]]
            elif "secretKeyRef" in source:
                values[variable["name"]] = "{name}/{key}".format(**source["secretKeyRef"])
            else:
                values[variable["name"]] = variable["value"]
        return values

    def data(self, config_map):
        return self.one("ConfigMap", config_map)["data"]

    def model(self, variable):
        return self.generated("models")["data"][variable]

    def scaled(self):
        [found] = self.of_kind("ScaledObject")
        return found["spec"]

    def policies(self, name):
        """The network policies that hold for the pods of a workload."""
        labels = self.template(name)["metadata"]["labels"]
        return [item["spec"] for item in self.of_kind("NetworkPolicy") if labels_match(item["spec"]["podSelector"], labels)]

    def rules(self, name, direction):
        """What these policies allow in a direction, `ingress` or `egress`; closed where no rule opens."""
        policies = self.policies(name)
        assert any(direction.capitalize() in policy["policyTypes"] for policy in policies), f"{name}: its {direction} is open"
        return [rule for policy in policies for rule in policy.get(direction, [])]


def bytes_of(quantity):
    """`28Gi` or compose's `28g` in bytes: both count in powers of 1024."""
    number, unit = quantity.rstrip("GMKgmki"), quantity.lstrip("0123456789").lower().rstrip("i")
    return int(number) * 1024 ** {"k": 1, "m": 2, "g": 3}[unit]


def probe_seconds(probe):
    """How long a probe may fail before the pod is restarted."""
    return probe["periodSeconds"] * probe["failureThreshold"]


def compose_seconds(duration):
    """`30m` or `45s` in seconds."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]
