"""Every way to stop or change a running stack, with a note under way that the model server answers after 20 s: the note
ends with 200. All at once, each in a project of its own: most of the time is waiting."""

import concurrent.futures
import time

import pytest
from project import Project, image


def stop_the_gateway(stack):
    stack.compose("stop", "gateway")


def stop_all(stack):
    stack.compose("stop")


def take_down(stack):
    stack.compose("down")


def change_the_gateway(stack):
    stack.write_environment(GATEWAY_IMAGE=image("gateway-other"))
    stack.up("--wait", "--wait-timeout", "120")


def change_the_model_server(stack):
    stack.write_environment(VLLM_IMAGE=image("vllm-other"))
    stack.up("--wait", "--wait-timeout", "120")


def change_both_settings(stack):
    stack.write_environment(VLLM_MAX_NUM_SEQS="8")
    stack.up("--wait", "--wait-timeout", "120")


def stop_and_start(stack):
    stack.compose("stop")
    stack.up("--wait", "--wait-timeout", "120")


def restart(stack):
    """Both are told to stop in the same second."""
    stack.compose("restart")
    stack.up("--wait", "--wait-timeout", "120")


def replace_the_model_server_alone(stack):
    """The gateway goes on: only the model server's own time to end is left."""
    stack.up("--no-deps", "--force-recreate", "vllm")
    stack.up("--wait", "--wait-timeout", "120")


# What is done, what has another container then, and what runs in the end. Where only the model server is another one,
# compose 2.40 starts the gateway's own container again, and 2.26 makes another.
BOTH, NONE = {"gateway", "vllm"}, set()
SWITCHES = {
    "stop gateway": (stop_the_gateway, NONE, {"vllm"}),
    "stop": (stop_all, NONE, NONE),
    "down": (take_down, BOTH, NONE),
    "gateway image": (change_the_gateway, {"gateway"}, BOTH),
    "model server image": (change_the_model_server, {"vllm"}, BOTH),
    "settings": (change_both_settings, BOTH, BOTH),
    "stop and up": (stop_and_start, NONE, BOTH),
    "restart": (restart, NONE, BOTH),
    "forced": (replace_the_model_server_alone, {"vllm"}, BOTH),
}


def state(stack):
    found = {service: stack.container(service) for service in BOTH}
    return {service: (container["Id"], container["State"]["StartedAt"]) for service, container in found.items() if container and container["State"]["Running"]}


def ids(stack):
    return {service: (container := stack.container(service)) and container["Id"] for service in BOTH}


def switch(folder, name, act):
    with Project(folder, name.replace(" ", "-"), "gpu") as stack:
        stack.start()
        before, begun = ids(stack), time.monotonic()
        started = state(stack)
        with stack.note_under_way(20) as answer:
            act(stack)
            after = ids(stack)
            running = state(stack)
            answer = answer.result(60)
        took = time.monotonic() - begun
        again = stack.extract().status_code if running.keys() == BOTH else None
        exits = {service: stack.container(service)["State"]["ExitCode"] for service in BOTH - running.keys() if stack.container(service)}
    return {
        "status": answer.status_code, "text": answer.text, "took": took, "changed": {service for service in BOTH if before[service] != after[service]},
        "running": set(running), "started_anew": {service for service in running if running[service] != started[service]}, "again": again, "exits": exits,
    }


@pytest.fixture(scope="module")
def switched(tmp_path_factory):
    with concurrent.futures.ThreadPoolExecutor(len(SWITCHES)) as pool:
        return {name: pool.submit(switch, tmp_path_factory.mktemp("switch") / "stack", name, act) for name, (act, _, _) in SWITCHES.items()}


@pytest.mark.parametrize("name", SWITCHES)
def test_a_note_under_way_ends_well(switched, name):
    seen, (_, changed, running) = switched[name].result(), SWITCHES[name]
    assert seen["status"] == 200 and '"treatment":"osimertinib"' in seen["text"], seen
    assert seen["took"] >= 20, "it was under way"
    seen["changed"] -= {"gateway"} if name == "model server image" else NONE
    assert (seen["changed"], seen["running"]) == (changed, running), seen
    assert seen["again"] == (200 if running == BOTH else None)
    assert seen["exits"].get("gateway", 0) == 0, "the gateway ended in good order"


def test_a_change_of_the_model_server_stops_the_gateway_too(switched):
    assert switched["model server image"].result()["started_anew"] == BOTH


def test_a_change_of_the_gateway_leaves_the_model_alone(switched):
    assert switched["gateway image"].result()["started_anew"] == {"gateway"}
