"""A table whose trigger passes, raises, swallows and rewrites: one verdict for each record."""

import asyncio
import string
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.names import WritePath
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.writing import inserter, row_writer
from batching_demo.database.writing.inserter import ATTEMPTS_BEFORE_BLAME, RESOURCES
from batching_demo.database.writing.rows import Rows
from tests.support.database import execute, fetch
from tests.support.random_files import quick
from tests.support.records import record
from tests.support.writing import (
    PATHS,
    Statements,
    create_trigger,
    most_statements,
    rows_of,
    write_by,
)

READ_ONLY = "25006"
"""After it the connection is closed, since another host may be the primary."""
PASS, SWALLOW, REWRITE = "pass", "swallow", "rewrite"
MEDDLE = """
BEGIN
    IF NEW.payload->>'does' = 'swallow' THEN RETURN NULL;
    ELSIF NEW.payload->>'does' = 'rewrite' THEN NEW.idempotency_key = 'new ' || NEW.idempotency_key;
    ELSIF NEW.payload->>'does' <> 'pass' THEN
        RAISE EXCEPTION 'no' USING ERRCODE = NEW.payload->>'does';
    END IF;
    RETURN NEW;
END"""
sqlstates = st.one_of(
    st.sampled_from(["23514", "P0001", "45035", "42501", "40001", "57014", "01000", "02000"]),
    st.text(string.digits + string.ascii_uppercase, min_size=5, max_size=5),
).filter(lambda code: not code.startswith(RESOURCES) and code != READ_ONLY)
does = st.one_of(st.just(PASS), st.sampled_from([SWALLOW, REWRITE]), sqlstates)
records = st.lists(st.tuples(st.sampled_from("abcdefgh"), does), min_size=1, max_size=12)


class TableMachine(RuleBasedStateMachine):
    """Any order of submissions, of the same ones again, and of deleted rows."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.engine = create_engine(self.url, application_name="tests")
        self.statements = Statements(self.engine)
        self.prefix = uuid4().hex
        self.submitted: list[tuple[str, list[PreparedRecord], list[str]]] = []
        self.deleted: set[str] = set()

    def teardown(self) -> None:
        self.loop.run(self.engine.dispose())
        self.loop.close()

    @rule(chosen=records, path=st.sampled_from(PATHS))
    def submit(self, chosen: list[tuple[str, str]], path: WritePath) -> None:
        name = f"{self.prefix} {len(self.submitted)}"
        made = [record(f"{self.prefix} {key}", {"does": what}) for key, what in chosen]
        codes = self.write(path, rows_of((name, made)))
        for (_, what), code in zip(chosen, codes, strict=True):
            assert code in ("wdc" if what == PASS else "rdc")
        self.submitted.append((name, made, codes))
        self.loop.run(self.expect_tables(name, made, codes))

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), path=st.sampled_from(PATHS))
    def submit_again(self, data: st.DataObject, path: WritePath) -> None:
        name, made, before = data.draw(st.sampled_from(self.submitted))
        codes = self.write(path, rows_of((name, made)))
        for one, old, new in zip(made, before, codes, strict=True):
            if one.key not in self.deleted and "w" in (old, new):
                assert old == new

    @precondition(lambda self: self.submitted)
    @rule(key=st.sampled_from("abcdefgh"))
    def delete(self, key: str) -> None:
        self.deleted.add(f"{self.prefix} {key}")
        self.loop.run(self._delete(f"{self.prefix} {key}"))

    def write(self, path: WritePath, rows: Rows) -> list[str]:
        """Write rows as often as a batcher does, and return the verdicts."""
        for attempt in range(1, ATTEMPTS_BEFORE_BLAME + 2):
            self.statements.sent.clear()
            try:
                result = self.loop.run(write_by(path, self.engine, rows, attempt=attempt))
            except DatabaseFailedError:
                continue
            finally:
                size = 1 if path is WritePath.UNBATCHED else None
                most = most_statements(rows, refused=len(rows), rows_per_statement=size)
                assert len(self.statements.sent) <= most
            refused = sum(problem.sqlstate is not None for problem in result.problems.values())
            assert len(self.statements.sent) <= most_statements(rows, refused, size)
            assert all(result.codes)
            return result.codes
        raise AssertionError("no verdict")

    async def expect_tables(self, name: str, made: list[PreparedRecord], codes: list[str]) -> None:
        """Expect the tables to have of a submission what its verdicts say."""
        mine = f"submission_id = '{name}' AND idempotency_key NOT LIKE 'new %'"
        found = await fetch(self.engine, f"SELECT idempotency_key FROM records WHERE {mine}")
        verdicts = list(zip(made, codes, strict=True))
        assert sorted(found) == sorted((one.key,) for one, code in verdicts if code == "w")
        mine = f"idempotency_key LIKE '{self.prefix}%'"
        letters = await fetch(
            self.engine, f"SELECT idempotency_key, record FROM dead_letters WHERE {mine}"
        )
        assert {(one.key, one.payload) for one, code in verdicts if code in "cr"} <= set(letters)

    async def _delete(self, key: str) -> None:
        await execute(self.engine, f"DELETE FROM records WHERE idempotency_key = '{key}'")


def test_every_record_gets_one_verdict(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inserter, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(row_writer, "PAUSE_SECONDS", 0.0)
    asyncio.run(prepare(database_url))
    monkeypatch.setattr(TableMachine, "url", database_url)
    run_state_machine_as_test(
        TableMachine, settings=settings(quick, max_examples=20, stateful_step_count=8)
    )


async def prepare(url: str) -> None:
    """Create the trigger, and have a row that those that stand alone are compared with."""
    engine = create_engine(url, application_name="tests")
    await write_by(WritePath.BATCHED, engine, rows_of(("old", [record("old", {"does": PASS})])))
    await create_trigger(engine, MEDDLE)
    await engine.dispose()
