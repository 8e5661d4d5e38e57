"""Manifests, rendered once a run."""

import os
from pathlib import Path

import pytest

from tests.support.manifests import Manifests, render


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which all processes of a run keep what they have rendered."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = shared / "manifests"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def manifests(request: pytest.FixtureRequest, rendered: Path) -> Manifests:
    """What the folder renders to that the test names as its parameter."""
    return render(request.param, rendered)
