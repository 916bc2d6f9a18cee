"""What moto's Systems Manager lacks: an agent that really runs the script, and the time that takes.

As amazon-ssm-agent does it: the lines of the document become a file `_script.sh` with mode 0700, run as `sh -c FILE`
(so its first line counts) in a process group of its own; SIGKILL of that group when the time is over or the command
is cancelled; stdout cut to its first 24,000 characters and stderr to 8,000, both empty until the end.
"""

import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile
import threading
import time

import yaml
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.ssm.responses import SimpleSystemManagerResponse as Response

from ec2 import online
from timing import VALUES

COMMANDS = {}
SETTINGS = {"environment": {}, "folder": None}
# The environment of the scripts of further instances, each of which has a host of its own.
FURTHER = {}
ENDED = ("Success", "Failed", "TimedOut", "Cancelled")


class Command:
    """One command on one instance."""

    def __init__(self, command_id, instance_id, document, lines, limit):
        self.id, self.instance_id, self.document = command_id, instance_id, document
        self.lines, self.limit = lines, limit
        self.status = self.details = "Pending"
        self.code, self.out, self.err = -1, "", ""
        self.cancelled, self.lost = threading.Event(), threading.Event()
        self.sent = time.monotonic()

    def end(self, status, details, code, out="", err=""):
        self.out, self.err, self.code, self.details = out[:24000], err[:8000], code, details
        self.status = status

    def run(self):
        time.sleep(VALUES["delivery"])
        if self.cancelled.is_set():
            return self.end("Cancelled", "Cancelled", -1)
        if VALUES["swallow"] > 0:
            # As an agent that updates itself does with what it had taken (amazon-ssm-agent#430).
            VALUES["swallow"] -= 1
            self.status = self.details = "InProgress"
            while not (self.cancelled.wait(0.05) or self.lost.is_set()):
                pass
            return self.end("Cancelled" if self.cancelled.is_set() else "Failed", "Cancelled", -1)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="orchestration-", dir=SETTINGS["folder"]))
        script = folder / "_script.sh"
        script.write_text("\n".join(self.lines) + "\n")
        script.chmod(0o700)
        self.status = self.details = "InProgress"
        with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
            process = subprocess.Popen(
                ["sh", "-c", str(script)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=FURTHER.get(self.instance_id, SETTINGS["environment"]),
                start_new_session=True,
            )
            why = self.watch(process)
        read = lambda name: (folder / name).read_text(errors="replace")
        code = 137 if why else process.returncode
        trailer = f"\nfailed to run commands: exit status {code}" if code and not why else ""
        status = why or ("Failed" if code else "Success")
        details = "ExecutionTimedOut" if why == "TimedOut" else status
        self.end(status, details, code, read("stdout"), read("stderr") + trailer)

    def watch(self, process):
        """Why it was killed, or None when it ended by itself."""
        deadline = time.monotonic() + self.limit
        while process.poll() is None:
            why = None
            if self.cancelled.is_set():
                why = "Cancelled"
            elif self.lost.is_set():
                why = "Failed"
            elif time.monotonic() > deadline:
                why = "TimedOut"
            if why:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()
                return why
            time.sleep(0.01)
        return None


def lose_all(instance_id):
    """The instance stops: what runs on it ends with it."""
    for command in COMMANDS.values():
        if command.instance_id == instance_id:
            command.lost.set()


def document_lines(backend, name, parameters):
    """The lines and the time limit that a document makes of the parameters."""
    if name in ("AWS-RunShellScript", None):
        return parameters.get("commands", []), parameters.get("executionTimeout", ["3600"])[0]
    content = yaml.safe_load(backend._get_documents(name).get_default_version().content)
    inputs, rules = content["mainSteps"][0]["inputs"], content.get("parameters", {})

    def filled(text):
        def value(match):
            given = parameters.get(match[1], rules[match[1]].get("default"))
            return given[0] if isinstance(given, list) else str(given)

        return re.sub(r"\{\{ *([A-Za-z0-9_]+) *\}\}", value, text)

    for key, rule in rules.items():
        pattern, given = rule.get("allowedPattern"), filled("{{ " + key + " }}")
        if pattern and not re.fullmatch(pattern.strip("^$"), given):
            raise JsonRESTError("InvalidParameters", f"Parameter {key} does not match {pattern[:40]}")
    return [filled(line) for line in inputs["runCommand"]], filled(inputs.get("timeoutSeconds", "3600"))


def describe_instance_information(response):
    from moto.ec2.models import ec2_backends

    backend = ec2_backends[response.ssm_backend.account_id][response.ssm_backend.region_name]
    filters = response._get_param("Filters", []) or response._get_param("InstanceInformationFilterList", [])
    wanted = [v for f in filters for v in f.get("Values", f.get("valueSet", []))]
    every = [i.id for r in backend.all_reservations() for i in r.instances]
    found = [i for i in every if (not wanted or i in wanted) and online(i, backend.region_name)]
    return ActionResult(
        {
            "InstanceInformationList": [
                {
                    "InstanceId": i,
                    "PingStatus": "Online",
                    "AgentVersion": "3.3.2746.0",
                    "PlatformType": "Linux",
                    "PlatformName": "Ubuntu",
                    "PlatformVersion": "24.04",
                    "LastPingDateTime": time.time(),
                }
                for i in found
            ]
        }
    )


def send_command(response):
    backend = response.ssm_backend
    instances, parameters = response._get_param("InstanceIds", []), response._get_param("Parameters", {})
    absent = [i for i in instances if not online(i, backend.region_name)]
    if absent or not instances:
        text = f"Instances [[{', '.join(absent)}]] not in a valid state for account {backend.account_id}"
        raise JsonRESTError("InvalidInstanceId", text)
    if len(json.dumps(parameters)) > 64 * 1024:
        raise JsonRESTError("MaxDocumentSizeExceeded", "The size limit of a document is 64 KB.")
    name = response._get_param("DocumentName")
    lines, limit = document_lines(backend, name, parameters)
    if any(re.search(r"\{\{ *ssm:", line) for line in lines):
        raise JsonRESTError("InvalidParameters", "a parameter of Parameter Store inside a command")
    sent = backend.send_command(
        comment=response._get_param("Comment", ""),
        document_name=name,
        timeout_seconds=response._get_int_param("TimeoutSeconds"),
        instance_ids=list(instances),
        max_concurrency="50",
        max_errors="0",
        notification_config=None,
        output_s3_bucket_name="",
        output_s3_key_prefix="",
        output_s3_region="",
        parameters=parameters,
        service_role_arn="",
        targets=[],
    )
    sent.status = sent.status_details = "Pending"
    seconds = int(limit)
    command = Command(sent.command_id, instances[0], name, lines, seconds if 5 <= seconds <= 172800 else 3600)
    COMMANDS[command.id] = command
    threading.Thread(target=command.run, daemon=True).start()
    return ActionResult({"Command": sent.response_object()})


def get_command_invocation(response):
    command = COMMANDS.get(response._get_param("CommandId"))
    known = command and command.instance_id == response._get_param("InstanceId")
    if not known or time.monotonic() - command.sent < VALUES["race"]:
        raise JsonRESTError("InvocationDoesNotExist", "")
    status, details = command.status, command.details
    if VALUES["statuses"]:
        status = details = VALUES["statuses"].pop(0)
    ended = status in ENDED
    return ActionResult(
        {
            "CommandId": command.id,
            "InstanceId": command.instance_id,
            "DocumentName": command.document,
            "PluginName": "aws:runShellScript",
            "ResponseCode": command.code if ended else -1,
            "Status": status,
            "StatusDetails": details,
            "StandardOutputContent": command.out if ended else "",
            "StandardErrorContent": command.err if ended else "",
        }
    )


def cancel_command(response):
    command = COMMANDS.get(response._get_param("CommandId"))
    if not command:
        raise JsonRESTError("InvalidCommandId", "")
    if command.status not in ENDED:
        command.status = command.details = "Cancelling"
    command.cancelled.set()
    return ActionResult({})


SESSIONS = {}


def start_session(response):
    """As the API has it: a session's id begins with who started it, and its token opens the stream, once it is there."""
    target, document = response._get_param("Target"), response._get_param("DocumentName")
    if not online(target, response.ssm_backend.region_name):
        raise JsonRESTError("TargetNotConnected", f"{target} is not connected.")
    if document != "AWS-StartPortForwardingSession":
        raise JsonRESTError("InvalidDocument", f"Document with name {document} does not exist.")
    parameters = response._get_param("Parameters", {})
    if any(not re.fullmatch(r"[0-9]{1,5}", v) for values in parameters.values() for v in values):
        raise JsonRESTError("InvalidParameters", "a port that is none")
    session = {
        "id": f"emulator-{secrets.token_hex(8)}",
        "target": target,
        "parameters": parameters,
        "reason": response._get_param("Reason"),
        "token": secrets.token_urlsafe(64),
        "open": True,
    }
    SESSIONS[session["id"]] = session
    answer = {
        "SessionId": session["id"],
        "TokenValue": session["token"],
        "StreamUrl": f"{SETTINGS['environment']['EMULATOR_URL']}/_emulator/stream",
    }
    return ActionResult(answer)


def terminate_session(response):
    session = SESSIONS.get(response._get_param("SessionId"))
    if not session:
        raise JsonRESTError("DoesNotExistException", "no such session")
    session["open"] = False
    return ActionResult({"SessionId": session["id"]})


def stream(body):
    """What the host's agent does for the plug-in of a session that is open: names the port that it connects to."""
    asked = json.loads(body)
    session = SESSIONS.get(asked["SessionId"])
    if not session or not session["open"] or session["token"] != asked["TokenValue"]:
        return {"error": "the token opens no session"}
    ports = session["parameters"]
    return {"port": int(ports["portNumber"][0]), "local": int(ports["localPortNumber"][0])}


for replacement in (
    describe_instance_information,
    send_command,
    get_command_invocation,
    cancel_command,
    start_session,
    terminate_session,
):
    setattr(Response, replacement.__name__, replacement)
