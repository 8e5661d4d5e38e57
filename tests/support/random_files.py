"""Store a random file, and work out what Postgres should hold afterwards."""

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.spool import readable
from tests.support.storing import Load, Stored, store, stored

quick = settings(
    max_examples=100,
    deadline=None,
    # Every example has a source and keys of its own, so they may share a database.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Rejected:
    """Stands for the payload of a record that is not stored."""

    reason: str


Reading = tuple[int, str, object | Rejected]
"""Line, key and payload of a record."""


@dataclass
class Expected:
    """What Postgres should hold of a file, and the verdicts."""

    stored: Stored
    codes: str


class Files:
    """Writes files with names of their own and loads them."""

    def __init__(self, engine: AsyncEngine, directory: Path) -> None:
        self._engine, self._directory = engine, directory

    async def load(
        self, content: bytes, suffix: str, how: Load, encoding: str = "utf-8", **options: str
    ) -> tuple[str, Stored]:
        path = self._directory / f"{uuid4().hex}{suffix}"
        path.write_bytes(content)
        try:
            file = readable(str(path), encoding, self._directory)
            inspected = inspect(file.path, name=file.name, key_columns=how.key_columns, **options)
            codes = await store(self._engine, inspected, how)
            assert len(codes) == inspected.records
            return codes, await stored(self._engine, file.name)
        finally:
            path.unlink()


def in_order(readings: list[Reading]) -> Expected:
    """Return what is stored of records that come in this order, each key at most once."""
    expected = Expected(Stored(), "")
    by_key: dict[str, object] = {}
    conflicts: set[tuple[str, str]] = set()
    for line, key, value in readings:
        if isinstance(value, Rejected):
            expected.stored.letters[line] = value.reason
            expected.codes += "r"
        elif key not in by_key:
            by_key[key] = value
            expected.stored.records[line] = (key, value)
            expected.codes += "w"
        elif by_key[key] == value:
            expected.codes += "d"
        else:
            expected.codes += "c"
            # The same record in conflict on several lines is one dead letter.
            if (key, repr(value)) not in conflicts:
                expected.stored.letters[line] = "conflict"
            conflicts.add((key, repr(value)))
    return expected


def rejection_of_key(key: str) -> Rejected | None:
    if not key.strip():
        return Rejected("key_empty")
    return Rejected("key_too_long") if len(key.encode()) > 512 else None
