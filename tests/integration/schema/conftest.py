"""What each test of the schema has for itself."""

from pathlib import Path

import pytest
from sqlalchemy import make_url


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def prefix(empty_database_url: str) -> str:
    """A prefix of this test's own: all databases of a server share its roles."""
    return str(make_url(empty_database_url).database)
