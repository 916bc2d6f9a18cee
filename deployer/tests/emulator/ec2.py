"""What moto's EC2 lacks: states that take time, status checks, another address after every start."""

import copy
import itertools
import time

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance
from moto.ec2.responses.instances import InstanceResponse

from timing import VALUES, later, passed

ACCOUNT = "123456789012"
HOOKS = {"booted": lambda instance_id: None, "stopping": lambda instance_id: None}

CODES = {"pending": 0, "running": 16, "terminated": 48, "stopping": 64, "stopped": 80}
addresses = itertools.count(10)
moto_start, moto_stop = Instance.start, Instance.stop


def turn(instance, name):
    instance._state.name, instance._state.code = name, CODES[name]
    instance.up_since = time.monotonic() if name == "running" else None


def new_address(instance):
    """Without an Elastic IP the address changes with every start."""
    for nic in instance.nics.values():
        if not getattr(nic, "public_ip_address", None):
            nic.public_ip = f"203.0.113.{next(addresses)}"


def start(instance):
    state = instance._state.name
    if state in ("stopping", "terminated"):
        raise EC2ClientError(
            "IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be started."
        )
    if state in ("running", "pending"):
        return copy.copy(instance._state)
    before = moto_start(instance)
    turn(instance, "pending")

    def up():
        new_address(instance)
        turn(instance, "running")
        HOOKS["booted"](instance.id)

    later("boot", up)
    return before


def stop(instance):
    if instance._state.name in ("stopping", "stopped"):
        return copy.copy(instance._state)
    before = moto_stop(instance)
    turn(instance, "stopping")
    HOOKS["stopping"](instance.id)
    later("stop", lambda: turn(instance, "stopped"))
    return before


def describe_instance_status(response):
    backend = response.ec2_backend
    wanted = response._get_param("InstanceIds", [])
    every = response._get_bool_param("IncludeAllInstances", False)
    found = []
    for instance in (i for r in backend.all_reservations() for i in r.instances):
        if (wanted and instance.id not in wanted) or not (every or instance._state.name == "running"):
            continue
        bad = VALUES["impaired"]
        # A number is a time, true is for ever.
        ill = bad is True or bad and instance.up_since is not None and time.monotonic() - instance.up_since < bad
        word = "impaired" if ill else "ok" if passed(instance.up_since, "checks") else "initializing"
        detail = {"ok": "passed", "impaired": "failed"}.get(word, "initializing")
        status = {"Status": word, "Details": [{"Name": "reachability", "Status": detail}]}
        if instance._state.name != "running":
            status = {"Status": "not-applicable"}
        found.append(
            {
                "InstanceId": instance.id,
                "AvailabilityZone": "us-east-1a",
                "InstanceState": {"Code": instance._state.code, "Name": instance._state.name},
                "InstanceStatus": status,
                "SystemStatus": status,
            }
        )
    return ActionResult({"InstanceStatuses": found})


Instance.up_since = None
Instance.start, Instance.stop = start, stop
InstanceResponse.describe_instance_status = describe_instance_status


def instance(instance_id, region="us-east-1"):
    return ec2_backends[ACCOUNT][region].get_instance(instance_id)


def online(instance_id, region):
    """Does its SSM agent answer?"""
    try:
        return not VALUES["no_agent"] and passed(instance(instance_id, region).up_since, "agent")
    except EC2ClientError:
        return False
