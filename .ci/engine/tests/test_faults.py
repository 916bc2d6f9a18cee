"""What is missing, unreadable or written wrongly: a clear word from the engine, compose or the gateway, and nothing made up."""

import pytest
from project import Project, wait_until


def refused(stack, *more):
    done = stack.up(*more, check=False)
    assert done.returncode != 0, "it was to be refused"
    return done.stderr


@pytest.mark.parametrize("file", ["keys.txt", "config/gateway.toml"])
def test_a_missing_file_stops_the_start(tmp_path, file):
    with Project(tmp_path, "missing", "cpu") as stack:
        (tmp_path / file).unlink()
        assert "bind source path does not exist" in (said := refused(stack)) and file in said
        assert not (tmp_path / file).exists(), "no folder is made in its place"


@pytest.mark.parametrize(
    ("file", "content", "mode", "word"),
    [
        ("keys.txt", None, 0o600, "/config/keys.txt: Permission denied"),
        ("config/gateway.toml", None, 0o600, "/config/gateway.toml: Permission denied"),
        ("keys.txt", "", 0o644, "the key file names no key"),
        ("keys.txt", "me my-key\n", 0o644, "the key file, line 1: the digest is not 64 hexadecimal digits"),
        ("config/gateway.toml", "engin = 1\n", 0o644, "engin"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_the_log(tmp_path, file, content, mode, word):
    with Project(tmp_path, "unreadable", "cpu") as stack:
        if content is not None:
            (tmp_path / file).write_text(content)
        (tmp_path / file).chmod(mode)
        stack.up()
        wait_until(lambda: stack.container("gateway-cpu")["RestartCount"] >= 1, 30, "it ends at once")
        assert word in stack.logs("gateway-cpu"), stack.logs("gateway-cpu")
        assert "my-key" not in stack.logs("gateway-cpu")
        assert stack.up("--wait", "--wait-timeout", "60", check=False).returncode != 0


@pytest.mark.parametrize("variable", ["GATEWAY_IMAGE", "VLLM_IMAGE"])
def test_a_missing_image_variable_is_named(tmp_path, variable):
    with Project(tmp_path, "variable", "cpu", **{variable: ""}) as stack:
        assert f"set {variable} in .env to repository@sha256:digest" in refused(stack)


def test_a_digest_that_no_registry_has_changes_nothing(tmp_path):
    with Project(tmp_path, "digest", "cpu") as stack:
        stack.start()
        before = stack.container("gateway-cpu")["Id"]
        stack.write_environment(GATEWAY_IMAGE=f"127.0.0.1:1/extraction/gateway@sha256:{'0' * 64}")
        assert "127.0.0.1:1" in refused(stack)
        assert stack.container("gateway-cpu")["Id"] == before and stack.extract().status_code == 200


def test_without_the_nvidia_runtime_the_engine_says_so(tmp_path):
    with Project(tmp_path, "nvidia", "gpu") as stack:
        stack.files.remove("config/compose.no-gpu.yml")
        assert 'could not select device driver "nvidia"' in refused(stack)


def test_without_a_profile_nothing_is_started(tmp_path):
    with Project(tmp_path, "profile", "") as stack:
        assert "no service selected" in refused(stack)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("'./keys $HOME \"x\".txt'", './keys $HOME "x".txt'),
        ('"./keys of me.txt"', "./keys of me.txt"),
        ("./keys$$1.txt", "./keys$1.txt"),
    ],
)
def test_a_value_of_env_with_dollars_and_quotes(tmp_path, written, read):
    """As config/README.md says it: single quotes take a value as it is."""
    with Project(tmp_path, "quotes", "cpu", API_KEYS_FILE=written) as stack:
        (tmp_path / "keys.txt").rename(tmp_path / read)
        stack.start()
        assert stack.extract().status_code == 200


def test_a_port_that_is_taken_is_named(tmp_path, cpu):
    port = cpu.url().rsplit(":", 1)[1]
    with Project(tmp_path, "port", "cpu", GATEWAY_PORT=port) as stack:
        assert "address already in use" in (said := refused(stack)) or "port is already allocated" in said
        assert port in said and cpu.extract().status_code == 200
