"""The engine's daemon under a running stack."""

import subprocess

from project import ROOT, Project, wait_until


def test_a_stack_comes_back_when_the_daemon_is_restarted(tmp_path):
    """A note under way ends before. It comes back also after the keys were read again, which is no stop by hand."""
    with Project(tmp_path, "daemon", "gpu") as stack:
        stack.start()
        stack.read_keys_again()
        before = {service: stack.container(service) for service in ["gateway", "vllm"]}
        with stack.note_under_way(10) as answer:
            subprocess.run([ROOT / ".ci/engine/engine.sh", "restart"], check=True, capture_output=True, timeout=200)
            assert answer.result(60).status_code == 200
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

