"""Every manifest against the schemas of the four newest Kubernetes, and of the CRDs that we use."""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.manifests import Document, Manifests, every_folder, find_validator

VERSIONS = ("1.34", "1.35", "1.36", "1.37")
SCHEMAS = Path(__file__).with_name("schemas")
CUSTOM = {
    "ServiceMonitor": Draft202012Validator(
        json.loads((SCHEMAS / "service-monitor.json").read_text())
    ),
    "ScaledObject": Draft202012Validator(json.loads((SCHEMAS / "scaled-object.json").read_text())),
}


@pytest.fixture(scope="module")
def validator() -> Iterator[Any]:
    """What knows the schemas of Kubernetes."""
    module = find_validator()
    with pytest.MonkeyPatch.context() as patch:
        # The definitions of a version are 1.8 MB, and it would read them for each manifest.
        patch.setattr(module.utils, "schema_contents", cache(module.utils.schema_contents))
        yield module


def problems(document: Document, validator: Any, version: str) -> list[str]:
    """List what is wrong with a manifest. A kind that nobody knows is an error, too."""
    custom = CUSTOM.get(document["kind"])
    if custom:
        return [error.message for error in custom.iter_errors(document)]
    try:
        validator.validate(document, version, strict=True)
    except (validator.ValidationError, validator.SchemaNotFoundError) as error:
        message: str = error.message
        return [message]
    return []


@pytest.mark.parametrize("version", VERSIONS)
@every_folder
def test_manifests_are_valid(manifests: Manifests, validator: Any, version: str) -> None:
    found = {
        f"{document['kind']} {document['metadata']['name']}": wrong
        for document in manifests.documents
        if (wrong := problems(document, validator, version))
    }

    assert manifests.documents
    assert found == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kind_that_nobody_knows_is_an_error(validator: Any, version: str) -> None:
    document = {"apiVersion": "apps/v1", "kind": "Deploiment", "metadata": {"name": "one"}}

    (problem,) = problems(document, validator, version)

    assert "Couldn't find schema for kind Deploiment" in problem


@pytest.mark.parametrize("manifests", ["overlays/keda"], indirect=True)
@pytest.mark.parametrize(
    "kind", ["Deployment", "PodDisruptionBudget", "ServiceMonitor", "ScaledObject"]
)
def test_a_field_that_nobody_knows_is_an_error(
    manifests: Manifests, validator: Any, kind: str
) -> None:
    document = deepcopy(manifests.of(kind)[0])
    document["spec"]["replica"] = 1

    (problem,) = problems(document, validator, VERSIONS[0])

    assert "'replica' was unexpected" in problem


@pytest.mark.parametrize("manifests", ["overlays/keda"], indirect=True)
@pytest.mark.parametrize(
    "change", [{"targetQueueSize": 200}, {"targetQueueLength": "200"}, {"taskQueue": None}]
)
def test_a_trigger_takes_what_keda_knows_only(manifests: Manifests, change: Document) -> None:
    (scaled,) = (one for one in manifests.of("ScaledObject") if "main" in one["metadata"]["name"])
    scaled = deepcopy(scaled)
    scaled["spec"]["triggers"][0]["metadata"] |= change

    assert [*CUSTOM["ScaledObject"].iter_errors(scaled)]
