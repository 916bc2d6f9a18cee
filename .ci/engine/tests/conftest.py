"""The stacks that several tests share."""

import pytest
from project import Project


@pytest.fixture(scope="session")
def cpu(tmp_path_factory):
    """Profile cpu, up and ready."""
    with Project(tmp_path_factory.mktemp("cpu"), "cpu", "cpu") as stack:
        stack.start()
        yield stack


@pytest.fixture(scope="session")
def gpu(tmp_path_factory):
    """Profile gpu with the stand-in for the model server, up and ready."""
    with Project(tmp_path_factory.mktemp("gpu"), "gpu", "gpu") as stack:
        stack.start()
        yield stack
