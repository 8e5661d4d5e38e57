"""A user's own table under any order of submissions, repetitions, lost answers and two writers."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from batching_demo.contracts.names import WritePath
from batching_demo.contracts.targets import OnConflict
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.writing import row_writer
from batching_demo.database.writing.row_writer import WriteResult
from tests.support.database import fetch
from tests.support.own_tables import declared, new_name, own_target
from tests.support.random_files import quick
from tests.support.records import record
from tests.support.writing import PATHS, rows_of, write_by

TABLE = """
CREATE TABLE {t} (
    id bigint GENERATED ALWAYS AS IDENTITY, k numeric PRIMARY KEY, n text NOT NULL, v int NOT NULL
)"""
CHANGED = "CREATE TABLE {t}_changed (place serial, id bigint, k numeric, n text, v int)"
NOTE = """
CREATE FUNCTION {t}_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {t}_changed (id, k, n, v) VALUES (NEW.id, NEW.k, NEW.n, NEW.v); RETURN NULL;
END $$"""
TRIGGER = """
CREATE TRIGGER note AFTER INSERT OR UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_note()"""
SPELLINGS = (lambda k: k, lambda k: f"{k}.0", lambda k: f"0{k}.00")
"""Of one numeric key."""
Row = tuple[int, str, int]
"""Id, content and version of a stored row."""
records = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(SPELLINGS),
        st.sampled_from("ab"),
        st.integers(1, 3),
    ).map(lambda drawn: (drawn[0], {"k": drawn[1](drawn[0]), "n": drawn[2], "v": drawn[3]})),
    min_size=1,
    max_size=6,
)
Records = list[tuple[int, dict[str, object]]]


@dataclass
class Submitted:
    """A submission, and what became of its records the first time that anybody saw it."""

    name: str
    records: Records
    codes: list[str] = field(default_factory=list)
    returned: dict[int, str] = field(default_factory=dict)


class OwnTableMachine(RuleBasedStateMachine):
    """Submissions to one table under one rule, with receipts or without."""

    url = ""
    on_conflict = OnConflict.IGNORE
    receipts = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.engine = create_engine(self.url, application_name="tests", pool_size=2)
        self.table = new_name()
        declaration = declared(
            self.table,
            on_conflict=self.on_conflict,
            newest_by="v" if self.on_conflict is OnConflict.NEWEST else None,
            returned=["id"],
            receipts=self.receipts,
        )
        made = [one.format(t=self.table) for one in (TABLE, CHANGED, NOTE, TRIGGER)]
        self.target = self.loop.run(own_target(self.engine, declaration, *made))
        self.submitted: list[Submitted] = []

    def teardown(self) -> None:
        self.loop.run(self.engine.dispose())
        self.loop.close()

    @rule(made=records, path=st.sampled_from(PATHS), loses=st.booleans())
    def submit(self, made: Records, path: WritePath, loses: bool) -> None:
        one = self.new(made)
        first = self.loop.run(self.write(one, path))
        result = self.loop.run(self.write(one, path, attempt=2)) if loses else first
        self.see(one, result, again=loses or path is WritePath.UNBATCHED)
        self.loop.run(self.expect_table())

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), path=st.sampled_from(PATHS), attempt=st.integers(1, 2))
    def submit_again(self, data: st.DataObject, path: WritePath, attempt: int) -> None:
        one = data.draw(st.sampled_from(self.submitted))
        self.see(one, self.loop.run(self.write(one, path, attempt=attempt)), again=True)
        self.loop.run(self.expect_table())

    @rule(made=records, others=records, is_same=st.booleans())
    def overlap(self, made: Records, others: Records, is_same: bool) -> None:
        one = self.new(made)
        other = one if is_same else self.new(others)
        results = self.loop.run(self.write_both(one, other))
        for written, result in zip((one, other), results, strict=True):
            self.see(written, result, again=True)
        self.loop.run(self.expect_table())

    def new(self, made: Records) -> Submitted:
        one = Submitted(f"{self.table} {len(self.submitted)}", made)
        self.submitted.append(one)
        return one

    async def write_both(self, one: Submitted, other: Submitted) -> tuple[WriteResult, WriteResult]:
        return await asyncio.gather(
            self.write(one, WritePath.BATCHED), self.write(other, WritePath.BATCHED)
        )

    async def write(self, one: Submitted, path: WritePath, *, attempt: int = 1) -> WriteResult:
        """Write a submission as often as a batcher does."""
        rows = rows_of((one.name, [record("", payload) for _, payload in one.records]))
        for number in range(attempt, attempt + 5):
            try:
                return await write_by(path, self.engine, rows, target=self.target, attempt=number)
            except DatabaseFailedError as error:
                if not error.is_outage:
                    raise
        raise AssertionError("no verdict")

    def see(self, one: Submitted, result: WriteResult, *, again: bool) -> None:
        """Compare an answer with the table, and with an answer that was seen before.

        Args:
            one: What was submitted.
            result: The answer.
            again: Whether others may have changed a row since the record did.
        """
        stored = self.loop.run(self.stored())
        for at, ((key, payload), code) in enumerate(zip(one.records, result.codes, strict=True)):
            id_, content, version = stored[key]
            returned = result.returned.get(at)
            assert (json.loads(returned) if returned else None) == (
                {"id": id_} if code in "wud" else None
            )
            is_same = (content, version) == (payload["n"], payload["v"])
            self.expect_verdict(code, is_same, version - int(str(payload["v"])), again=again)
            if one.codes and self.receipts and one.codes[at] in "wu":
                assert (code, returned) == (one.codes[at], one.returned.get(at))
        if not one.codes:
            one.codes, one.returned = result.codes, result.returned

    def expect_verdict(self, code: str, is_same: bool, newer_by: int, *, again: bool) -> None:
        """Expect a verdict to fit the stored row, as far as nobody has changed that since."""
        match self.on_conflict:
            case OnConflict.IGNORE:
                assert code in ("wd" if is_same else "c")
            case OnConflict.NEWEST:
                assert newer_by >= 0
                if newer_by:
                    assert code == "s" or (again and code in "wudc")
                else:
                    assert code in ("wud" if is_same else "c") or (again and code in "wu")
            case OnConflict.UPDATE:
                assert code in ("wus" if is_same or again else "s")

    async def stored(self) -> dict[int, Row]:
        found = await fetch(self.engine, f"SELECT k::int, id, n, v FROM {self.table}")
        return {int(str(k)): (int(str(id_)), str(n), int(str(v))) for k, id_, n, v in found}

    async def expect_table(self) -> None:
        """Expect the changes of the table to be those that the rule allows, and no others."""
        changes: dict[int, list[Row]] = {}
        for k, id_, n, v in await fetch(
            self.engine, f"SELECT k::int, id, n, v FROM {self.table}_changed ORDER BY place"
        ):
            changes.setdefault(int(str(k)), []).append((int(str(id_)), str(n), int(str(v))))
        assert await self.stored() == {key: of[-1] for key, of in changes.items()}
        came = [(key, payload) for one in self.submitted for key, payload in one.records]
        assert changes.keys() == {key for key, _ in came}
        for key, of in changes.items():
            assert len({id_ for id_, _, _ in of}) == 1
            versions = [version for _, _, version in of]
            if self.on_conflict is OnConflict.IGNORE:
                assert len(of) == 1
            elif self.on_conflict is OnConflict.NEWEST:
                assert versions == sorted(set(versions))
                assert versions[-1] == max(p["v"] for k, p in came if k == key)  # type: ignore[type-var]  # numbers
        if self.receipts:
            applied = Counter(
                key
                for one in self.submitted
                for (key, _), code in zip(one.records, one.codes, strict=True)
                if code in "wu"
            )
            assert applied == Counter({key: len(of) for key, of in changes.items()})


RULES = [
    (OnConflict.IGNORE, False),
    (OnConflict.IGNORE, True),
    (OnConflict.NEWEST, False),
    (OnConflict.NEWEST, True),
    (OnConflict.UPDATE, True),
]


@pytest.mark.parametrize(("on_conflict", "receipts"), RULES)
def test_the_table_is_what_its_rule_says(
    database_url: str, monkeypatch: pytest.MonkeyPatch, on_conflict: OnConflict, receipts: bool
) -> None:
    monkeypatch.setattr(row_writer, "PAUSE_SECONDS", 0.0)
    for name, value in (("url", database_url), ("on_conflict", on_conflict)):
        monkeypatch.setattr(OwnTableMachine, name, value)
    monkeypatch.setattr(OwnTableMachine, "receipts", receipts)
    run_state_machine_as_test(
        OwnTableMachine, settings=settings(quick, max_examples=5, stateful_step_count=6)
    )
