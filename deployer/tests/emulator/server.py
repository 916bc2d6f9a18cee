"""AWS for the deployer's tests: moto, with instances that take time to start and an agent that really runs scripts.

    stdout, once                the port to connect to
    each connection, a line     {"folder": ..., "environment": ...}; FOLDER/state is the shims' state, and the scripts
                                run in this environment
    its answer, a line          {"url": ..., "instance_id": ...}: an emulator of its own

An emulator is a fork of this process, which has read moto and the models of AWS, two seconds of work, once for all. It
ends with its connection, and this process with its stdin, so that a test that dies leaves nothing behind.
"""

import functools
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import sys
import threading

os.environ.update(
    MOTO_EC2_LOAD_DEFAULT_AMIS="false",
    AWS_ACCESS_KEY_ID="emulator",
    AWS_SECRET_ACCESS_KEY="emulator",
    AWS_DEFAULT_REGION="us-east-1",
)

import boto3
from moto.ec2.models import ec2_backends
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

import ec2
import front
import ssm
from timing import VALUES


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass

    def connection_dropped(self, *_):
        self.close_connection = True


def controls(session, url, folder):
    client = functools.cache(lambda service: session.client(service, endpoint_url=url))

    def aws(body):
        """{service, operation, arguments}: any call, by boto3, without a line in the log."""
        wanted = json.loads(body)
        before = len(front.CALLS)
        answer = getattr(client(wanted["service"]), wanted["operation"])(**wanted.get("arguments", {}))
        del front.CALLS[before:]
        answer.pop("ResponseMetadata", None)
        return answer

    def stop(body):
        """The instance stops itself, by its own role."""
        ec2.instance(body.decode()).stop()
        return {}

    def commands(_):
        return [
            {
                "id": c.id,
                "instance": c.instance_id,
                "document": c.document,
                "status": c.status,
                "lines": c.lines,
                "out": c.out,
                "err": c.err,
            }
            for c in ssm.COMMANDS.values()
        ]

    def booted(instance_id):
        # The contents of memory are gone, and the clock of the kernel starts again.
        further = ssm.FURTHER.get(instance_id)
        own = pathlib.Path(further["SHIM_STATE"]).parent if further else folder
        shutil.rmtree(own / "run", ignore_errors=True)
        (own / "state" / "uptime").write_text("30.00 1.00\n")

    def further(body):
        """{environment}: one more stopped instance, whose scripts run in this environment."""
        before = len(front.CALLS)
        instance_id = make_instance(client)
        del front.CALLS[before:]
        ssm.FURTHER[instance_id] = {**json.loads(body)["environment"], "LANG": "C", "EMULATOR_URL": url}
        (pathlib.Path(ssm.FURTHER[instance_id]["SHIM_STATE"]) / "instance_id").write_text(instance_id)
        return {"instance_id": instance_id}

    ec2.HOOKS["booted"] = booted
    ec2.HOOKS["stopping"] = ssm.lose_all
    front.CONTROLS.update(
        aws=aws,
        stop=stop,
        commands=commands,
        further=further,
        calls=lambda _: front.CALLS,
        fault=lambda body: front.add_fault(json.loads(body)) or {},
        release=lambda _: front.HELD.set() or {},
        stream=ssm.stream,
        sessions=lambda _: list(ssm.SESSIONS.values()),
        set=lambda body: VALUES.update(json.loads(body)) or {},
    )
    return client


def make_instance(client):
    """One stopped g6.2xlarge."""
    image = client("ec2").register_image(Name="ubuntu", RootDeviceName="/dev/sda1", Architecture="x86_64")["ImageId"]
    made = client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="g6.2xlarge")
    instance_id = made["Instances"][0]["InstanceId"]
    instance = ec2.instance(instance_id)
    ec2.moto_stop(instance)
    ec2.turn(instance, "stopped")
    return instance_id


def warm():
    """Does once what every emulator would do: returns its application and its session of boto3."""
    application = front.Front(create_backend_app)
    session = boto3.Session()
    for service in ("ec2", "ssm", "secretsmanager", "sts"):
        application.app_instances[service] = create_backend_app(service)
        session.client(service)
    _ = ec2_backends[ec2.ACCOUNT]["us-east-1"]
    return application, session


def emulate(connection, application, session):
    """One emulator, until the connection ends."""
    # Otherwise all forks would give the same ids.
    mock_random.seed()
    stream = connection.makefile("rw")
    wanted = json.loads(stream.readline())
    folder = pathlib.Path(wanted["folder"])
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    url = f"http://127.0.0.1:{server.server_port}"
    ssm.SETTINGS.update(folder=folder, environment={**wanted["environment"], "LANG": "C", "EMULATOR_URL": url})
    client = controls(session, url, folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    instance_id = make_instance(client)
    (folder / "state" / "instance_id").write_text(instance_id)
    front.CALLS.clear()
    print(json.dumps({"url": url, "instance_id": instance_id}), file=stream, flush=True)
    stream.read()


def main():
    application, session = warm()
    # The kernel forgets forks that ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    # The test reads no more, and what moto prints must not fail for that.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                emulate(connection, application, session)
            finally:
                # Without waiting for the threads of scripts that still run.
                sys.stderr.flush()
                os._exit(0)
        connection.close()


main()
