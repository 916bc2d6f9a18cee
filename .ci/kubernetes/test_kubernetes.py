"""config/kubernetes keeps its promises. Here it is rendered and read; it has run on no cluster."""

import re
import shutil

import checks_objects
import checks_promises
import pytest
from cluster import FOLDER, Cluster


@pytest.fixture(scope="module")
def cluster():
    return Cluster()


@pytest.mark.parametrize("check", checks_objects.CHECKS + checks_promises.CHECKS, ids=lambda check: check.__name__)
def test_it(check, cluster):
    check(cluster)


def test_filled_in_it_names_images_that_can_be_pulled(tmp_path):
    folder = tmp_path / "kubernetes"
    shutil.copytree(FOLDER, folder)
    site = folder / "site" / "kustomization.yaml"
    registry, digest = "123456789012.dkr.ecr.us-east-1.amazonaws.com", "f0" * 32
    site.write_text(site.read_text().replace("REGISTRY", registry).replace("DIGEST", digest).replace("ADAPTER_REVISION=", f"ADAPTER_REVISION={'b' * 40}"))
    cluster = Cluster(folder)
    for item in cluster.workloads():
        name = item["metadata"]["name"]
        image = "vllm" if name in ["vllm", "download"] else "gateway"
        assert cluster.container(name)["image"] == f"{registry}/extraction-gateway/{image}@sha256:{digest}"
    for check in checks_objects.CHECKS:
        check(cluster)
    assert not re.search(r"\b[A-Z]*(FILL|REGISTRY|DIGEST)", str(cluster.objects))
