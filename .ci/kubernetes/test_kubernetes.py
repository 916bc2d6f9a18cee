"""config/kubernetes keeps its promises. Here it is rendered and read; it has run on no cluster."""

import checks_objects
import checks_promises
import pytest
from cluster import Cluster


@pytest.fixture(scope="module")
def cluster():
    return Cluster()


@pytest.mark.parametrize("check", checks_objects.CHECKS + checks_promises.CHECKS, ids=lambda check: check.__name__)
def test_it(check, cluster):
    check(cluster)
