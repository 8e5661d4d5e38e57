"""Every manifest against the schemas of the four newest Kubernetes, and of the CRDs that we use."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft202012Validator

from tests.support.manifests import BASE, OVERLAYS, Document, Manifests

VERSIONS = ("1.34", "1.35", "1.36", "1.37")
SCHEMAS = Path(__file__).with_name("schemas")
CUSTOM = {
    "ServiceMonitor": Draft202012Validator(
        json.loads((SCHEMAS / "service-monitor.json").read_text())
    ),
    "ScaledObject": Draft202012Validator(json.loads((SCHEMAS / "scaled-object.json").read_text())),
}
every_folder = pytest.mark.parametrize("manifests", [BASE, *OVERLAYS], indirect=True)


@pytest.fixture(scope="module", autouse=True)
def read_once() -> Iterator[None]:
    """Read the definitions of a version once: they are 1.8 MB, and it reads them for each file."""
    utils: Any = kubernetes_validate.utils
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", cache(utils.schema_contents))
        yield


def problems(document: Document, version: str) -> list[str]:
    """List what is wrong with a manifest. A kind that nobody knows is an error, too."""
    custom = CUSTOM.get(document["kind"])
    if custom:
        return [error.message for error in custom.iter_errors(document)]
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [error.message]
    return []


@pytest.mark.parametrize("version", VERSIONS)
@every_folder
def test_manifests_are_valid(manifests: Manifests, version: str) -> None:
    found = {
        f"{document['kind']} {document['metadata']['name']}": wrong
        for document in manifests.documents
        if (wrong := problems(document, version))
    }

    assert manifests.documents
    assert found == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kind_that_nobody_knows_is_an_error(version: str) -> None:
    document = {"apiVersion": "apps/v1", "kind": "Deploiment", "metadata": {"name": "one"}}

    (problem,) = problems(document, version)

    assert "Couldn't find schema for kind Deploiment" in problem


@pytest.mark.parametrize("manifests", ["overlays/keda"], indirect=True)
@pytest.mark.parametrize(
    "kind", ["Deployment", "PodDisruptionBudget", "ServiceMonitor", "ScaledObject"]
)
def test_a_field_that_nobody_knows_is_an_error(manifests: Manifests, kind: str) -> None:
    document = manifests.of(kind)[0]
    document["spec"]["replica"] = 1

    (problem,) = problems(document, VERSIONS[0])

    assert "'replica' was unexpected" in problem


@pytest.mark.parametrize("manifests", ["overlays/keda"], indirect=True)
@pytest.mark.parametrize(
    "change", [{"targetQueueSize": 200}, {"targetQueueLength": "200"}, {"taskQueue": None}]
)
def test_a_trigger_takes_what_keda_knows_only(manifests: Manifests, change: Document) -> None:
    (scaled,) = (one for one in manifests.of("ScaledObject") if "main" in one["metadata"]["name"])
    scaled["spec"]["triggers"][0]["metadata"] |= change

    assert problems(scaled, VERSIONS[0])
