"""The engine's daemon under a running stack."""

import subprocess

from project import ROOT, Project, wait_until


def test_a_stack_comes_back_when_the_daemon_is_restarted(tmp_path):
    """Also after the keys were read again, which docker must not take for a stop by hand."""
    with Project(tmp_path, "daemon", "gpu") as stack:
        stack.start()
        stack.read_keys_again()
        before = {service: stack.container(service) for service in ["gateway", "vllm"]}
        subprocess.run([ROOT / ".ci/engine/engine.sh", "restart"], check=True, capture_output=True, timeout=200)
        for service, container in before.items():
            now = wait_until(lambda name=service: (found := stack.container(name))["State"]["Running"] and found, 60, f"{service} runs again")
            assert now["Id"] == container["Id"] and now["State"]["StartedAt"] != container["State"]["StartedAt"]
        wait_until(lambda: ready(stack), 60, "ready again")
        assert stack.extract().status_code == 200


def ready(stack):
    try:
        return stack.get("/health/ready").status_code == 200
    except OSError:
        return False

