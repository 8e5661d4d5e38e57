"""The manifests of deploy/kubernetes, as kubectl renders them."""

import importlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from tests.support.root import ROOT

Document = dict[str, Any]

KUBERNETES = ROOT / "deploy" / "kubernetes"
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
BROUGHT = ROOT / ".tools" / "kubernetes"
BASE = "base"
OVERLAYS = sorted(f"overlays/{path.name}" for path in (KUBERNETES / "overlays").iterdir())
NAME = "app.kubernetes.io/name"
every_folder = pytest.mark.parametrize("manifests", [BASE, *OVERLAYS], indirect=True)
every_overlay = pytest.mark.parametrize("manifests", OVERLAYS, indirect=True)


@dataclass(frozen=True)
class Manifests:
    """What one folder renders to."""

    folder: str
    documents: list[Document]

    def of(self, *kinds: str) -> list[Document]:
        """List the documents of these kinds."""
        return [document for document in self.documents if document["kind"] in kinds]

    @property
    def pods(self) -> dict[str, "Pod"]:
        """What runs, by the label that names it."""
        templates = [one["spec"]["template"] for one in self.of("Deployment", "Job")]
        pods = [Pod(template["metadata"]["labels"], template["spec"]) for template in templates]
        return {pod.labels[NAME]: pod for pod in pods}

    @property
    def workers(self) -> dict[str, "Pod"]:
        """The pods of Deployments, by the label that names them."""
        return {name: pod for name, pod in self.pods.items() if name.endswith("-worker")}

    def peers(self, direction: str) -> list[Document]:
        """List the selectors of pods that network policies name as `to` or `from`."""
        specs = [one["spec"] for one in self.of("NetworkPolicy")]
        rules = [
            rule for spec in specs for rule in spec.get("egress", []) + spec.get("ingress", [])
        ]
        found = [peer for rule in rules for peer in rule.get(direction, [])]
        return [peer["podSelector"] for peer in found if "podSelector" in peer]

    def config(self, name: str) -> dict[str, str]:
        """Return what a ConfigMap holds."""
        (found,) = (one for one in self.of("ConfigMap") if one["metadata"]["name"] == name)
        data: dict[str, str] = found["data"]
        return data

    def environment(self, pod: "Pod") -> dict[str, str]:
        """Return the variables of a pod: what its ConfigMaps hold, and what it sets itself."""
        held: dict[str, str] = {}
        for name in pod.config_maps:
            held |= self.config(name)
        return held | pod.env


@dataclass(frozen=True)
class Pod:
    """The labels of a pod and what it runs, in one container."""

    labels: dict[str, str]
    spec: Document

    @property
    def container(self) -> Document:
        """The one container."""
        (container,) = self.spec["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def env(self) -> dict[str, str]:
        """The variables that the manifest itself sets; all have a plain value."""
        return {one["name"]: one["value"] for one in self.container.get("env", [])}

    @property
    def config_maps(self) -> list[str]:
        """The names of the ConfigMaps whose entries are variables, too."""
        return [one["configMapRef"]["name"] for one in self.container.get("envFrom", [])]

    def mounts(self, kind: str) -> dict[str, Document]:
        """The volumes of a kind, such as `secret`, by the path where they are mounted."""
        volumes = {one["name"]: one for one in self.spec.get("volumes", [])}
        paths = {one["mountPath"]: one["name"] for one in self.container.get("volumeMounts", [])}
        return {path: volumes[name][kind] for path, name in paths.items() if kind in volumes[name]}


def find_kubectl() -> str:
    """Return the path of kubectl, or skip the test."""
    # The one that was brought is there because the other one does not do.
    found = shutil.which("kubectl", path=BROUGHT / "bin") or shutil.which("kubectl")
    return found or _missing("kubectl")


def find_validator() -> Any:
    """Return the module kubernetes_validate, or skip the test."""
    if str(BROUGHT) not in sys.path:
        sys.path.append(str(BROUGHT))
    try:
        return importlib.import_module("kubernetes_validate")
    except ImportError:
        _missing("kubernetes-validate")


def _missing(program: str) -> NoReturn:
    """Skip the test; fail it where the program may not be missing."""
    message = f"{program} is missing: scripts/bring_kubectl brings it"
    if os.environ.get("REQUIRE_KUBECTL"):
        pytest.fail(message)
    pytest.skip(message)


@cache
def render(folder: str, kept: Path) -> Manifests:
    """Render a folder of deploy/kubernetes, unless this run has kept what another test rendered."""
    file = kept / f"{folder.replace('/', '-')}.yaml"
    if not file.exists():
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(kustomize(KUBERNETES / folder))
        unfinished.rename(file)
    return read(folder, file.read_text())


def kustomize(directory: Path) -> str:
    """Return what kubectl renders a directory to."""
    command = (find_kubectl(), "kustomize", directory)
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def read(folder: str, rendered: str) -> Manifests:
    """Read what a folder renders to."""
    documents: Iterator[Document] = yaml.load_all(rendered, yaml.CSafeLoader)
    return Manifests(folder, list(documents))


def queries_of_keda() -> list[str]:
    """List what KEDA asks Prometheus."""
    file = KUBERNETES / "components" / "keda" / "scaled-objects.yaml"
    scaled: Iterator[Document] = yaml.load_all(file.read_text(), yaml.CSafeLoader)
    triggers = [trigger["metadata"] for one in scaled for trigger in one["spec"]["triggers"]]
    return [metadata["query"] for metadata in triggers if "query" in metadata]


def selects(selector: Document, labels: dict[str, str]) -> bool:
    """Return whether a selector of Kubernetes selects what has these labels."""
    wanted = selector.get("matchLabels", {}).items()
    operators = [
        labels.get(one["key"]) in one["values"]
        for one in selector.get("matchExpressions", [])
        if one["operator"] == "In"
    ]
    assert len(operators) == len(selector.get("matchExpressions", [])), selector
    return wanted <= labels.items() and all(operators)
