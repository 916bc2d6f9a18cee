"""The real vLLM, on this CPU with a tiny model, in the image of Dockerfile.vllm: one note through the whole stack."""

import os
import time

from project import Project, image

# One of the kind that the trained model knows.
NOTE = """A 61-year-old teacher presented with metastatic cutaneous melanoma of the back. NGS reported TMB-high and PD-L1 was 5%; BRAF was not \
tested. For two symptomatic brain metastases she received nivolumab plus ipilimumab and stereotactic radiosurgery. CT and MRI after three months \
showed that some lesions had shrunk while one had grown: overall a mixed response."""
# As gateway/tests/vllm/serve.sh starts it: nothing compiled, 1.25 GiB for the KV cache.
FLAGS = ["serve", "--enforce-eager", "--kv-cache-memory-bytes", "1342177280"]


def test_the_real_model_server_answers_a_note(tmp_path):
    mounts = {"VLLM_PACKAGES": "/vllm", "TINY_MODEL": "/tiny"}
    override = {"services": {
        "vllm": {"command": FLAGS, "volumes": [f"{os.environ[name]}:{target}:ro" for name, target in mounts.items()]},
        # The tiny vocabulary's, and not Llama's; and time, for a machine that is busy.
        "gateway": {"environment": {"GATEWAY_VLLM__STOP_TOKEN_IDS": "1,2", "GATEWAY_ADMISSION__DEADLINE": "5m"}},
    }}
    models = {"VLLM_BASE_MODEL": "/tiny/model", "VLLM_ADAPTER": "/tiny/adapter", "VLLM_ADAPTER_REVISION": ""}
    with Project(tmp_path, "real", "gpu", override, VLLM_IMAGE=image("vllm-cpu"), **models) as stack:
        begun = time.monotonic()
        stack.up()
        assert stack.container("vllm")["State"]["Running"]
        waited = stack.up("--wait", "--wait-timeout", "600", check=False, timeout=700)
        assert waited.returncode == 0, stack.logs("vllm")[-5000:]
        print(f"ready after {time.monotonic() - begun:.0f} s")
        answer = stack.extract(NOTE, timeout=360)
        assert answer.status_code == 200, answer.text + stack.logs("vllm")[-3000:]
        record = answer.json()
        assert {"cancer_type", "stage", "treatment"} <= record.keys()
        if "TINY_MODEL_DIR" in os.environ:
            assert (record["stage"], record["metastasis_site"]) == ("IV", "brain"), record
            assert "melanoma" in record["cancer_type"], record
