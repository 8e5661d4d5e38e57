"""Fixtures of several integration tests."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.random_files import Files


@pytest.fixture
def files(engine: AsyncEngine, tmp_path: Path) -> Files:
    return Files(engine, tmp_path)
