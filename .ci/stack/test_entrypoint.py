"""config/vllm-entrypoint.sh, run for real with stand-ins for `vllm` and `hf` that write down how they were called."""

import json
import os
import pathlib
import subprocess

import pytest
import stack

SCRIPT = stack.ROOT / "config" / "vllm-entrypoint.sh"
BASE, ADAPTER = "a" * 40, "b" * 40
PINNED = {"VLLM_BASE_MODEL": "owner/base", "VLLM_BASE_REVISION": BASE, "VLLM_ADAPTER": "owner/adapter", "VLLM_ADAPTER_REVISION": ADAPTER}
STAND_IN = """#!/usr/bin/env python3
import json, os, pathlib, sys
with open({calls!r}, "a") as calls:
    print(json.dumps([{name!r}, sys.argv[1:], dict(os.environ)]), file=calls)
if {name!r} == "hf":
    folder = pathlib.Path(sys.argv[sys.argv.index("--local-dir") + 1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").touch()
if os.environ.get("FAIL") == {name!r}:
    sys.exit(1)
"""


class Box:
    """A folder with the stand-ins and an empty model cache."""

    def __init__(self, folder):
        self.calls_file, self.cache = folder / "calls", folder / "models"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for name in ["vllm", "hf"]:
            program = self.bin / name
            program.write_text(STAND_IN.format(calls=str(self.calls_file), name=name))
            program.chmod(0o755)

    def run(self, *arguments, **environment):
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "MODEL_CACHE": str(self.cache)} | environment
        return subprocess.run(["bash", SCRIPT, *arguments], env=environment, capture_output=True, text=True)

    def calls(self):
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()] if self.calls_file.exists() else []


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def folder(box, model, revision):
    return str(box.cache / "owner" / model / revision)


def test_download_then_serve(box):
    assert box.run("cached", **PINNED).returncode != 0
    done = box.run("download", **PINNED)
    assert (done.returncode, done.stderr) == (0, "")
    assert box.run("cached", **PINNED).returncode == 0
    again = box.run("download", **PINNED)
    assert again.returncode == 0 and len(box.calls()) == 2, "what is there is not downloaded again"
    for (name, arguments, environment), (model, revision) in zip(box.calls(), [("base", BASE), ("adapter", ADAPTER)]):
        assert name == "hf" and arguments[:4] == ["download", f"owner/{model}", "--revision", revision]
        assert arguments[4:6] == ["--local-dir", folder(box, model, revision)]
        assert "--token" not in arguments and environment["HF_HUB_OFFLINE"] == "0"
    assert box.run("serve", **PINNED).returncode == 0
    assert box.calls()[-1][1][:2] == ["serve", folder(box, "base", BASE)]


def test_a_download_that_failed_is_not_complete(box):
    done = box.run("download", FAIL="hf", **PINNED)
    assert done.returncode == 1 and "owner/base was not downloaded. Does the token's account have access" in done.stderr
    assert box.run("cached", **PINNED).returncode != 0
    served = box.run("serve", **PINNED)
    assert served.returncode == 1 and "run the service `download` first" in served.stderr
    assert box.run("download", **PINNED).returncode == 0
    assert [call[1][1] for call in box.calls()] == ["owner/base", "owner/base", "owner/adapter"], "it goes on"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"VLLM_ADAPTER_REVISION": ""}, "owner/adapter has no pinned revision: set VLLM_ADAPTER_REVISION"),
        ({"VLLM_BASE_REVISION": "main"}, "owner/base has no pinned revision: set VLLM_BASE_REVISION"),
        ({"VLLM_BASE_MODEL": "../../etc"}, "is no OWNER/NAME"),
        ({"VLLM_ADAPTER": "owner/../x"}, "is no OWNER/NAME"),
        ({"VLLM_ADAPTER": "adapter"}, "is no OWNER/NAME"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "download", "cached"])
def test_what_is_not_pinned_is_refused(box, wrong, message, command):
    done = box.run(command, **PINNED | wrong)
    assert done.returncode == 1 and message in done.stderr and box.calls() == []


def test_an_unknown_command_is_refused(box):
    done = box.run("bash", **PINNED)
    assert done.returncode == 1 and "no command bash" in done.stderr


def flags(box, **settings):
    models = {"VLLM_BASE_MODEL": str(box.bin), "VLLM_ADAPTER": str(box.bin)}
    assert box.run("serve", "--port", "1", **models | settings).returncode == 0
    return box.calls()[-1]


def test_the_flags(box):
    """Each of these is parsed by the real vLLM in the step 72-vllm-flags, and starts it in 70-real-vllm."""
    _, arguments, environment = flags(box, VLLM_MAX_NUM_SEQS="8", VLLM_SERVED_NAME="other")
    values = dict(zip(arguments, arguments[1:]))
    assert values["--lora-modules"] == f"other={box.bin}" and values["--max-num-seqs"] == "8"
    assert values["--max-loras"] == "1"
    assert (values["--max-lora-rank"], values["--max-model-len"], values["--gpu-memory-utilization"]) == ("16", "8192", "0.90")
    assert pathlib.Path(values["--chat-template"]).read_text() == stack.text("config/chat_template.jinja")
    assert {"--enable-lora", "--enable-request-id-headers", "--no-enable-log-requests", "--max-num-queued-reqs"} <= set(arguments)
    grace = stack.seconds(stack.compose()["services"]["vllm"]["stop_grace_period"])
    assert 30 < int(values["--shutdown-timeout"]) < grace, "longer than the gateway's drain, shorter than what docker waits"
    assert "--quantization" not in arguments and "--api-key" not in arguments and "--disable-log-requests" not in arguments
    assert arguments[-2:] == ["--port", "1"], "what the caller says comes last and wins"
    assert environment["HF_HUB_OFFLINE"] == "1" and environment["VLLM_NO_USAGE_STATS"] == "1"
    assert not [name for name in environment if name.startswith("VLLM_") and name != "VLLM_NO_USAGE_STATS"]


OTHER = "c" * 40
TWO = {
    "VLLM_BASE_MODEL": "owner/base",
    "VLLM_BASE_REVISION": BASE,
    "VLLM_ADAPTERS": f"ie@{ADAPTER[:8]}=owner/adapter@{ADAPTER} ie@{OTHER[:8]}=owner/adapter@{OTHER}",
}


def write_settings(folder, rank=16, base="owner/base", **more):
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank, "base_model_name_or_path": base} | more))


def cached(box, *revisions):
    """The model cache as a download leaves it."""
    for model, revision in [("base", BASE), *(("adapter", revision) for revision in revisions)]:
        place = pathlib.Path(folder(box, model, revision))
        place.mkdir(parents=True, exist_ok=True)
        (place / ".complete").touch()
        write_settings(place)


def test_several_adapters_are_served_at_once(box):
    cached(box, ADAPTER)
    assert box.run("cached", **TWO).returncode != 0
    cached(box, ADAPTER, OTHER)
    assert box.run("cached", **TWO).returncode == 0
    assert box.run("serve", **TWO).returncode == 0
    _, arguments, environment = box.calls()[-1]
    at = arguments.index("--lora-modules")
    modules = [f"ie@{revision[:8]}={folder(box, 'adapter', revision)}" for revision in [ADAPTER, OTHER]]
    assert arguments[at + 1 : at + 4] == [*modules, "--max-loras"] and arguments[at + 4] == "2"
    assert not [name for name in environment if name.startswith("VLLM_ADAPTER")]


def test_several_adapters_are_downloaded_before_the_base_model(box):
    done = box.run("download", **TWO)
    # The stand-in's adapter has no settings, so it is refused, and the 16 GB of the base model are not fetched.
    assert done.returncode == 1 and "is no adapter's settings" in done.stderr
    assert [call[1][1] for call in box.calls()] == ["owner/adapter"]
    cached(box, ADAPTER, OTHER)
    (pathlib.Path(folder(box, "base", BASE)) / ".complete").unlink()
    assert box.run("download", **TWO).returncode == 0
    assert [call[1][1] for call in box.calls()] == ["owner/adapter", "owner/base"]


@pytest.mark.parametrize(
    ("settings", "environment", "message"),
    [
        ({"rank": 32}, {}, f"ie@{OTHER[:8]} has rank 32, above VLLM_MAX_LORA_RANK=16"),
        ({"rank_pattern": {"q_proj": 64}}, {}, "has rank 64"),
        ({"rank": "many"}, {}, "is no adapter's settings"),
        ({"base": "owner/other"}, {}, f"ie@{OTHER[:8]} was trained on owner/other, and VLLM_BASE_MODEL is owner/base"),
        ({"base": None}, {}, "was trained on None"),
        ({"rank": 32}, {"VLLM_MAX_LORA_RANK": "32"}, None),
        ({"base": "owner/other"}, {"VLLM_ADAPTER_BASES": "a/b owner/other"}, None),
    ],
)
def test_an_adapter_of_another_base_or_rank_is_refused_before_it_loads(box, settings, environment, message):
    cached(box, ADAPTER, OTHER)
    write_settings(pathlib.Path(folder(box, "adapter", OTHER)), **settings)
    done = box.run("serve", **TWO | environment)
    if message is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1 and message in done.stderr and box.calls() == []


@pytest.mark.parametrize(
    ("adapters", "message"),
    [
        (f"ie=owner/adapter@{ADAPTER}", f"a name ends in the first 8 characters, @{ADAPTER[:8]}"),
        (f"ie@{OTHER[:8]}=owner/adapter@{ADAPTER}", "a name ends in the first 8 characters"),
        (f"ie@{ADAPTER[:8]}=owner/adapter", "without a pinned revision"),
        (f"ie@{ADAPTER[:8]}=owner/adapter@main", "without a pinned revision"),
        (f"ie@{ADAPTER[:8]}=../adapter@{ADAPTER}", "is no OWNER/NAME"),
        ("owner/adapter", "write medical-ie@0123abcd="),
        (f"../x@{ADAPTER[:8]}=owner/adapter@{ADAPTER}", "write medical-ie@0123abcd="),
        ("a=/x a=/y", "names a twice"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "download", "cached"])
def test_adapters_without_a_name_of_their_revision_are_refused(box, adapters, message, command):
    done = box.run(command, **TWO | {"VLLM_ADAPTERS": adapters})
    assert done.returncode == 1 and message in done.stderr and box.calls() == []


def test_the_profile_for_speed(box):
    _, arguments, _ = flags(box, VLLM_QUANTIZATION="fp8")
    assert dict(zip(arguments, arguments[1:]))["--quantization"] == "fp8"


def test_the_defaults_are_those_of_the_compose_file():
    script = stack.text("config/vllm-entrypoint.sh")
    for name in ["MAX_LORA_RANK", "MAX_MODEL_LEN", "MAX_NUM_SEQS", "MAX_QUEUED_REQS", "GPU_MEMORY_UTILIZATION", "SERVED_NAME"]:
        default = stack.resolved("${VLLM_" + name + "}", stack.template_environment())
        assert f"${{VLLM_{name}:-{default}}}" in script
