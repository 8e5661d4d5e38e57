"""A copy of the overlay `versioned` with components in it, as a user has one for each build."""

import shutil

import pytest

from tests.support.manifests import KUBERNETES, NAME, Manifests, kustomize, read, selects

COMPONENTS = ("encryption", "intake", "keda", "monitoring", "temporal-api-key")
TAG = "0.3.0-rc.1"
SUFFIX = "-0-3-0-rc-1"


@pytest.fixture(scope="module", params=[COMPONENTS, COMPONENTS[::-1]], ids=["in order", "reversed"])
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """One build, of an image from a registry with a port."""
    place = tmp_path_factory.mktemp("deploy") / "kubernetes"
    shutil.copytree(KUBERNETES, place)
    file = place / "overlays" / "versioned" / "kustomization.yaml"
    components = [f"../../components/{name}" for name in request.param]
    changed = file.read_text().replace("0.2.0", TAG).replace("-0-2-0", SUFFIX)
    changed = changed.replace(
        f"newTag: {TAG}", f"newTag: {TAG}\n    newName: host:5000/batching-demo"
    )
    file.write_text(f"{changed}\nnamePrefix: shop-\ncomponents: {components}\n")
    return read("", kustomize(file.parent))


def test_the_build_id_is_the_tag_of_the_image(build: Manifests) -> None:
    for name in ("batcher-worker", "main-worker"):
        pod = build.pods[name]
        assert pod.container["image"] == f"host:5000/batching-demo:{TAG}"
        assert pod.env["BATCHING_DEMO_BUILD_ID"] == TAG
    assert "BATCHING_DEMO_BUILD_ID" not in build.pods["intake-worker"].env


def test_keda_scales_the_workers_of_this_build(build: Manifests) -> None:
    deployments = {one["metadata"]["name"] for one in build.of("Deployment")}
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in build.of("ScaledObject")}

    assert scaled == {f"shop-{name}{SUFFIX}" for name in ("batcher-worker", "main-worker")}
    assert scaled < deployments


def test_prometheus_scrapes_the_workers_of_each_build_once(build: Manifests) -> None:
    (monitor,) = build.of("ServiceMonitor")
    labels = [one["metadata"]["labels"] for one in build.of("Service")]
    of_another_build = [{**one, "app.kubernetes.io/version": "0.4.0"} for one in labels]

    assert {one[NAME] for one in labels} == build.workers.keys()
    assert all(selects(monitor["spec"]["selector"], one) for one in labels)
    assert not any(selects(monitor["spec"]["selector"], one) for one in of_another_build)


def test_peers_are_found_by_their_labels_and_not_by_ours(build: Manifests) -> None:
    assert [selects(peer, {"k8s-app": "kube-dns"}) for peer in build.peers("to")] == [True]
    assert [selects(peer, {NAME: "prometheus"}) for peer in build.peers("from")] == [True]
