"""Every check finds the mistake that it is there for: each line below spoils a copy of the manifests in one place."""

import shutil

import checks_objects
import checks_promises
import pytest
from cluster import APPLIED, FOLDER, Cluster

CHECKS = {check.__name__.removeprefix("check_"): check for check in checks_objects.CHECKS + checks_promises.CHECKS}
# File, what stands there, what stands there instead, the check that must fail.
MUTANTS = [
    ("base/vllm.yaml", "failureThreshold: 180", "failureTreshold: 180", "every_field_is_known"),
    ("base/gateway.yaml", "kind: PodDisruptionBudget", "kind: PodDisruptionBudge", "every_field_is_known"),
    ("corpus/kustomization.yaml", "components: [../site]", "components: [../site]\nnamespace: other", "one_name_is_one_object"),
    ("base/gateway.yaml", "  selector: {app.kubernetes.io/name: gateway}", "  selector: {app.kubernetes.io/name: vllm}", "selectors_select_what_they_mean"),
    ("base/network.yaml", "podSelector: {matchLabels: {app.kubernetes.io/name: gateway}}\n  policy", "podSelector: {matchLabels: {app: gateway}}\n  policy", "selectors_select_what_they_mean"),
    ("site/network.yaml", "operator: NotIn", "operator: In", "selectors_select_what_they_mean"),
    ("service/autoscale.yaml", "spec:\n  selector: {matchLabels: {app.kubernetes.io/name: gateway}}", "spec:\n  selector: {matchLabels: {app.kubernetes.io/name: vllm}}", "selectors_select_what_they_mean"),
    ("base/vllm.yaml", "spec:\n  # No `replicas`", "spec:\n  replicas: 1\n  # No `replicas`", "what_scales_owns_the_number"),
    ("service/autoscale.yaml", "scaleTargetRef: {name: vllm}", "scaleTargetRef: {name: gateway}", "what_scales_owns_the_number"),
    ("base/gateway.yaml", "requests: {cpu: 250m, memory: 512Mi}", "requests: {memory: 512Mi}", "what_scales_owns_the_number"),
    ("base/gateway.yaml", "containerPort: 8080", "containerPort: 8081", "ports_match"),
    ("base/gateway.yaml", 'value: "http://vllm:8000"', 'value: "http://vllm:8001"', "ports_match"),
    ("base/gateway.yaml", "port: 8080, targetPort: http", "port: 80, targetPort: http", "ports_match"),
    ("base/network.yaml", "{protocol: TCP, port: 8080}", "{protocol: TCP, port: 9464}", "ports_match"),
    ("corpus/job.yaml", "http://gateway:8080", "http://gateway", "ports_match"),
    ("service/autoscale.yaml", "port: http", "port: metrics", "ports_match"),
    ("base/vllm.yaml", "{name: shared-memory, mountPath: /dev/shm}", "{name: shared, mountPath: /dev/shm}", "mounts_have_volumes"),
    ("base/vllm.yaml", "claimName: model-cache,", "claimName: models,", "mounts_have_volumes"),
    ("site/model-cache.yaml", "[ReadWriteMany]", "[ReadWriteOnce]", "mounts_have_volumes"),
    ("base/gateway.yaml", "secret: {name: gateway-keys, ", "secret: {name: keys, ", "secrets_are_made_by_hand_and_documented"),
    ("service/autoscale.yaml", "{name: metrics-key, key: key}", "{name: metrics-key, key: token}", "secrets_are_made_by_hand_and_documented"),
    ("corpus/job.yaml", "secretName: corpus-key, defaultMode: 0440", "secretName: corpus-key, defaultMode: 0444", "secrets_are_made_by_hand_and_documented"),
    ("site/kustomization.yaml", "VLLM_QUANTIZATION=", "VLLM_QUANTIZATION=hf_abcdefgh12", "secrets_are_made_by_hand_and_documented"),
    ("site/namespace.yaml", "enforce: restricted", "enforce: baseline", "every_pod_is_confined"),
    ("base/vllm.yaml", "enableServiceLinks: false", "enableServiceLinks: true", "every_pod_is_confined"),
    ("base/gateway.yaml", "automountServiceAccountToken: false", "automountServiceAccountToken: true", "every_pod_is_confined"),
    ("download/job.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "every_pod_is_confined"),
    ("corpus/job.yaml", "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "every_pod_is_confined"),
    ("corpus/job.yaml", "seccompProfile: {type: RuntimeDefault}", "seccompProfile: {type: Unconfined}", "every_pod_is_confined"),
    ("base/vllm.yaml", "drop: [ALL]", "drop: [NET_RAW]", "every_pod_is_confined"),
    ("base/network.yaml", "from: [{podSelector: {matchLabels: {app.kubernetes.io/name: gateway}}}]", "from: [{podSelector: {}}]", "the_model_server_is_reached_by_the_gateway_alone"),
    ("base/network.yaml", "from: [{podSelector: {matchLabels: {app.kubernetes.io/name: gateway}}}]", "from: [{namespaceSelector: {}}]", "the_model_server_is_reached_by_the_gateway_alone"),
    ("site/network.yaml", "values: [vllm]", "values: [other]", "the_model_server_is_reached_by_the_gateway_alone"),
    ("site/network.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "networks_are_closed"),
    ("download/job.yaml", "egress: [{ports", "ingress: [{}]\n  egress: [{ports", "networks_are_closed"),
    ("base/network.yaml", '- namespaceSelector: {matchLabels: {extraction-gateway/client: "true"}}', "- namespaceSelector: {}", "networks_are_closed"),
    ("corpus/job.yaml", "to: [{podSelector: {matchLabels: {app.kubernetes.io/name: gateway}}}]", "to: [{podSelector: {matchLabels: {app.kubernetes.io/name: vllm}}}]", "networks_are_closed"),
    ("site/kustomization.yaml", "newName: REGISTRY/extraction-gateway/gateway", "newName: registry/extraction-gateway/gateway", "a_placeholder_is_no_image"),
    ("site/kustomization.yaml", "{name: VLLM_IMAGE", "{name: IMAGE", "a_placeholder_is_no_image"),
    ("site/kustomization.yaml", "VLLM_MAX_MODEL_LEN=8192", "VLLM_MAX_MODEL_LEN=4096", "variables_are_those_of_compose"),
    ("site/kustomization.yaml", "- VLLM_ADAPTER_BASES=", "- VLLM_ADAPTER_BASE=", "variables_are_those_of_compose"),
    ("base/gateway.yaml", "{name: GATEWAY_AUTH, value: keys}", '{name: GATEWAY_AUTH, value: "off"}', "variables_are_those_of_compose"),
    ("base/gateway.yaml", '{name: GATEWAY_METRICS__LISTEN, value: "127.0.0.1:9464"}', '{name: GATEWAY_METRICS__LISTEN, value: "0.0.0.0:9464"}', "variables_are_those_of_compose"),
    ("download/job.yaml", '{name: HF_HUB_OFFLINE, value: "0"}', '{name: HF_HUB_OFFLINE, value: "1"}', "variables_are_those_of_compose"),
    ("base/gateway.yaml", "args: [serve, --config, /config/gateway.toml]", "args: [serve]", "pods_are_those_of_compose"),
    ("base/gateway.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "pods_are_those_of_compose"),
    ("base/gateway.yaml", "runAsUser: 65532", "runAsUser: 1000", "pods_are_those_of_compose"),
    ("base/vllm.yaml", "limits: {memory: 28Gi", "limits: {memory: 30Gi", "pods_are_those_of_compose"),
    ("base/vllm.yaml", "shareProcessNamespace: true", "shareProcessNamespace: false", "pods_are_those_of_compose"),
    ("base/vllm.yaml", "terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30", "pods_are_those_of_compose"),
    ("base/vllm.yaml", "sizeLimit: 2Gi", "sizeLimit: 64Mi", "the_model_server_has_its_gpu_cache_and_shared_memory"),
    ("base/vllm.yaml", "memory: 28Gi, nvidia.com/gpu: 1", "memory: 28Gi, nvidia.com/gpu: 2", "the_model_server_has_its_gpu_cache_and_shared_memory"),
    ("base/vllm.yaml", "mountPath: /models, readOnly: true", "mountPath: /models, readOnly: false", "the_model_server_has_its_gpu_cache_and_shared_memory"),
    ("download/job.yaml", "mountPath: /run/secrets/hf_token,", "mountPath: /run/secrets/token,", "only_the_download_sees_the_token"),
    ("base/vllm.yaml", "failureThreshold: 180", "failureThreshold: 30", "probes_know_the_load"),
    ("base/vllm.yaml", "progressDeadlineSeconds: 2100", "progressDeadlineSeconds: 600", "probes_know_the_load"),
    ("base/vllm.yaml", "failureThreshold: 8", "failureThreshold: 3", "probes_know_the_load"),
    ("base/gateway.yaml", "readinessProbe:\n            httpGet: {path: /health/live", "readinessProbe:\n            httpGet: {path: /health/ready", "probes_know_the_load"),
    ("base/gateway.yaml", "terminationGracePeriodSeconds: 50", "terminationGracePeriodSeconds: 45", "running_notes_end"),
    ("base/gateway.toml", 'engine = "vllm"', 'engine = "vllm"\nadmission.drain = "60s"', "running_notes_end"),
    ("corpus/job.yaml", "terminationGracePeriodSeconds: 110", "terminationGracePeriodSeconds: 90", "running_notes_end"),
    ("base/gateway.yaml", "maxSurge: 1, maxUnavailable: 0", "maxSurge: 1, maxUnavailable: 1", "running_notes_end"),
    ("base/vllm.yaml", "maxSurge: 0, maxUnavailable: 1", "maxSurge: 1, maxUnavailable: 0", "running_notes_end"),
    ("base/vllm.yaml", "  maxUnavailable: 1\n  selector", "  minAvailable: 1\n  selector", "running_notes_end"),
    ("base/gateway.yaml", "maxReplicas: 4", "maxReplicas: 5", "as_many_notes_as_the_servers_take"),
    ("service/autoscale.yaml", "maxReplicaCount: 2", "maxReplicaCount: 4", "as_many_notes_as_the_servers_take"),
    ("service/autoscale.yaml", "stabilizationWindowSeconds: 2400", "stabilizationWindowSeconds: 300", "scaling_waits_for_the_load"),
    ("service/autoscale.yaml", "cooldownPeriod: 2400", "cooldownPeriod: 300", "scaling_waits_for_the_load"),
    ("service/autoscale.yaml", "minReplicaCount: 1", "minReplicaCount: 0", "scaling_waits_for_the_load"),
    ("service/autoscale.yaml", "sum(avg_over_time(gateway_queue_depth", "sum(avg_over_time(gateway_queue_length", "the_query_asks_for_metrics_that_exist"),
    ("service/autoscale.yaml", 'gateway_queue_depth{namespace="extraction-gateway"}', 'gateway_queue_depth{namespace="other"}', "the_query_asks_for_metrics_that_exist"),
    ("service/autoscale.yaml", 'gateway_queue_depth{namespace="extraction-gateway"}[2m]))', 'gateway_queue_depth{namespace="extraction-gateway"}[2m])', "the_query_asks_for_metrics_that_exist"),
    ("service/autoscale.yaml", 'threshold: "32"', 'threshold: "64"', "the_query_asks_for_metrics_that_exist"),
    ("service/autoscale.yaml", 'ignoreNullValues: "false"', 'ignoreNullValues: "true"', "the_query_asks_for_metrics_that_exist"),
    ("service/autoscale.yaml", "jobLabel: app.kubernetes.io/name", "jobLabel: app", "the_query_asks_for_metrics_that_exist"),
    ("corpus/job.yaml", "completions: 20", "completions: 21", "the_job_knows_the_exit_codes"),
    ("corpus/job.yaml", "operator: In, values: [2, 3]", "operator: NotIn, values: [1]", "the_job_knows_the_exit_codes"),
    ("corpus/job.yaml", "containerName: extract", "containerName: gateway", "the_job_knows_the_exit_codes"),
    ("corpus/job.yaml", "restartPolicy: Never", "restartPolicy: OnFailure", "the_job_knows_the_exit_codes"),
]


@pytest.fixture(scope="module")
def good():
    return Cluster()


def test_every_check_has_a_mutant():
    assert {mutant[3] for mutant in MUTANTS} == set(CHECKS)


@pytest.mark.parametrize(("file", "written", "instead", "check"), MUTANTS, ids=[f"{mutant[3]}-{number}" for number, mutant in enumerate(MUTANTS)])
def test_a_mistake_is_found(file, written, instead, check, tmp_path, good):
    folder = tmp_path / "kubernetes"
    shutil.copytree(FOLDER, folder)
    content = (folder / file).read_text()
    assert written in content, f"{file} has no {written!r}"
    (folder / file).write_text(content.replace(written, instead, 1))
    unchanged = {name: objects for name, objects in good.applied.items() if file.split("/")[0] not in APPLIED[name]}
    cluster = Cluster(folder, unchanged)
    with pytest.raises(Exception) as found:  # noqa: PT011 - also a look-up that finds nothing is a mistake found
        CHECKS[check](cluster)
    assert not isinstance(found.value, (NameError, ImportError))
