"""Workflows and Dockerfiles beyond what zizmor and hadolint see: pins, rights, and versions that must agree."""

import re
import shutil
import subprocess

import pytest
import stack
import yaml

WORKFLOWS = sorted((stack.ROOT / ".github" / "workflows").glob("*.yml"))
JOBS = [pytest.param(job, id=f"{path.stem}-{name}") for path in WORKFLOWS for name, job in yaml.safe_load(path.read_text())["jobs"].items()]
STEPS = [step for job in JOBS for step in job.values[0].get("steps", [])]
RIGHTS = {
    "contents: read", "contents: write", "id-token: write", "attestations: write",
}


def test_there_are_workflows():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "images.yml", "release.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_allowed_by_default_and_every_action_is_pinned(path):
    written = path.read_text()
    assert yaml.safe_load(written)["permissions"] == {}
    for used in re.findall(r"uses: (.*?)(?: # zizmor: .*)?$", written, re.M):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/\w+\.yml", used), used
    assert "secrets." not in written, "nothing that lasts is kept on GitHub"


@pytest.mark.parametrize("job", JOBS)
def test_a_job_says_what_it_may_and_how_long(job):
    assert {f"{name}: {right}" for name, right in job["permissions"].items()} <= RIGHTS
    assert "uses" in job or 0 < job["timeout-minutes"] <= 90
    assert "uses" in job or job["runs-on"] != "ubuntu-latest"


def test_a_checkout_leaves_no_token():
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 4 and all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_ci_runs_what_everybody_runs():
    assert any("bash .ci/run" in step.get("run", "") for step in STEPS)
    for name in ["images", "release"]:
        jobs = yaml.safe_load(stack.text(f".github/workflows/{name}.yml"))["jobs"]
        assert jobs["ci"]["uses"] == "./.github/workflows/ci.yml" and jobs["build"]["needs"] == "ci"


def test_images_are_named_by_their_commit_and_described():
    build = next(step for step in STEPS if step.get("uses", "").startswith("docker/build-push-action@"))["with"]
    assert build["tags"].endswith(":${{ github.sha }}") and "\n" not in build["tags"]
    assert build["build-args"] == "REVISION=${{ github.sha }}"
    assert build["sbom"] is True and build["provenance"] == "mode=max"
    assert "type=registry" in build["cache-to"]
    job = yaml.safe_load(stack.text(".github/workflows/images.yml"))["jobs"]["build"]
    assert {row["file"] for row in job["strategy"]["matrix"]["include"]} == {"gateway/Dockerfile", "Dockerfile.vllm"}
    assert job["permissions"]["id-token"] == "write"
    attest = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/attest@"))["with"]
    # What `deployer up` has verified is the pushed digest.
    assert attest["subject-digest"] == "${{ steps.build.outputs.digest }}" and attest["push-to-registry"] is True
    assert build["tags"].startswith(attest["subject-name"] + ":")
    assert job["permissions"]["attestations"] == "write"


@pytest.mark.parametrize("path", ["gateway/Dockerfile", "Dockerfile.vllm"])
def test_a_dockerfile(path):
    written = stack.text(path)
    assert 'org.opencontainers.image.revision="${REVISION}"' in written
    last = written[written.rindex("\nFROM ") :]
    assert "\nUSER 65532:65532\n" in last and re.search(r'^ENTRYPOINT \["/', last, re.M)
    for base in re.findall(r"^FROM (\S+)", written, re.M):
        assert base == "scratch" or re.fullmatch(r"\S+:[\d.]+\S*@sha256:[0-9a-f]{64}", base) or base == "vllm/vllm-openai:v0.32.0"
    assert "# syntax" not in written, "a frontend from a registry: `.ci/run engine` could not build the file as it is"
    # A folder that COPY makes has the mode of --chmod, with BuildKit 0.21 and newer: 0444 lets nobody in.
    for folder in re.findall(r"^COPY --chmod=\d+ \S+ (/\S+)/$", written, re.M):
        assert re.search(rf"install --directory --mode 0755 [^&]*{folder}\b", written[: written.index("COPY --chmod")])


def test_versions_agree():
    rust = re.search(r'rust-version = "([\d.]+)"', stack.text("Cargo.toml"))[1] + ".0"
    assert f"FROM rust:{rust}-" in stack.text("gateway/Dockerfile")
    for name in ["ci", "release"]:
        assert f"rustup toolchain install {rust} " in stack.text(f".github/workflows/{name}.yml")
    vllm = re.search(r"vllm_version=(\S+)", stack.text("gateway/tests/vllm/install.sh"))[1]
    assert f"FROM vllm/vllm-openai:v{vllm}\n" in stack.text("Dockerfile.vllm")
    deny = re.search(r"cargo_deny_version=(\S+)", stack.text(".ci/lib.sh"))[1]
    assert f"cargo-deny --version {deny}\n" in stack.text(".github/workflows/ci.yml")


def test_the_build_has_every_file_it_needs(tmp_path):
    """What gateway/Dockerfile copies, less what .dockerignore keeps out, is a workspace that cargo can read."""
    for path in re.findall(r"^COPY (?!--)(.*) \S+$", stack.text("gateway/Dockerfile"), re.M):
        for part in path.split():
            copied = [stack.ROOT / part] if (stack.ROOT / part).is_file() else [file for file in (stack.ROOT / part).rglob("*") if file.is_file()]
            assert f"!{part}\n" in stack.text(".dockerignore")
            for file in copied:
                relative = file.relative_to(stack.ROOT)
                if not {"target"} & set(relative.parts) and relative.parts[:2] != ("gateway", "fuzz"):
                    (tmp_path / relative).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, tmp_path / relative)
    command = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outside = [file for file in (tmp_path / "gateway" / "src").rglob("*.rs") for name in re.findall(r'include_(?:str|bytes)!\("([^"]*)"\)', file.read_text()) if not (file.parent / name).is_file()]
    assert outside == [], "a file is built in that the image's build does not have"
    for path in re.findall(r"^COPY --chmod=\d+ (\S+) ", stack.text("Dockerfile.vllm"), re.M):
        assert f"!{path}\n" in stack.text(".dockerignore") and (stack.ROOT / path).is_file()
