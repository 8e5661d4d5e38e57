"""Every case file, up to what Postgres holds of it."""

import asyncio
import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.limits import MAX_BATCH_BYTES
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.files.spool import readable
from tests.support.database import fetch, scalar
from tests.support.preparing import CASES
from tests.support.records import noise
from tests.support.storing import Load, batches, clear, exact_json, store, stored

OUTCOMES: dict[str, tuple[list[int], dict[int, str]]] = {
    "A04_bad_shapes.ndjson": (
        [1, 7, 8, 9, 11, 14],
        {
            **dict.fromkeys([2, 3, 4, 5], "not_an_object"),
            6: "key_missing",
            10: "key_null",
            12: "key_empty",
            13: "key_empty",
        },
    ),
    "B01_nul_in_payload.ndjson": (
        [line for line in range(1, 21) if line not in (7, 14, 16)],
        {7: "nul", 14: "nul", 16: "nul"},
    ),
    "B02_nan_infinity.ndjson": ([1, 2, 4, 6, 8, 10], dict.fromkeys([3, 5, 7, 9], "not_finite")),
    "C01_bom.csv": ([2, 3], {}),
    "C01_bom_quoted_header.csv": ([2], {}),
    "C01_bom.ndjson": ([1, 2], {}),
    "C03_ragged.csv": (
        [2, 9],
        {**dict.fromkeys([3, 4, 5, 8], "field_count"), 7: "key_empty"},
    ),
    "C08_null_vs_empty.csv": ([2, 3, 4, 5, 6, 7, 8], {9: "key_empty", 10: "key_empty"}),
    "C11_bad_lines.ndjson": (
        [1, 3, 9],
        {**dict.fromkeys([2, 4, 5, 6, 7], "invalid_json"), 8: "not_an_object"},
    ),
    "C11_blank_lines.ndjson": ([2, 6, 8], {}),
    "C11_no_trailing_newline.ndjson": ([1, 2], {}),
    "C11_truncated_tail.ndjson": ([1, 2], {3: "invalid_json"}),
    "C13_empty.csv": ([], {}),
    "C13_empty.ndjson": ([], {}),
    "C13_header_only.csv": ([], {}),
    "C13_header_only_no_newline.csv": ([], {}),
    "E01_three_poison_in_100.ndjson": (list(range(2, 100)), {1: "nul", 100: "not_finite"}),
    "E01_all_poison.ndjson": ([], dict.fromkeys(range(1, 11), "nul")),
}
REFUSED = {
    "C05_unclosed_quote.csv": "line 3: a quote opened here is never closed",
    "C05_stray_quote_inside.csv": "line 4: text follows a closing quote",
    "C07_latin1.csv": "line 3: byte 0xE9 is not UTF-8",
    "C07_cp1252_late_row900.csv": "line 901: byte 0xE9 is not UTF-8",
    "C11_json_array_not_ndjson.ndjson": "line 1: the file is one JSON array",
}
ELSEWHERE = {"B05_duplicate_keys.csv"}


def test_every_case_file_has_its_test() -> None:
    assert {path.name for path in CASES.iterdir()} == {*OUTCOMES, *REFUSED, *ELSEWHERE}


def what_the_file_says(path: Path, lines: list[int]) -> dict[int, tuple[str, object]]:
    """Read the lines of a file with the standard library: one record a line in all cases."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".csv":
        header, *_ = rows = list(csv.reader(text.split("\n")))
        by_line = {number: dict(zip(header, row)) for number, row in enumerate(rows, 1)}  # noqa: B905
        return {line: (by_line[line]["key"], by_line[line]) for line in lines}
    documents = {line: exact_json(text.split("\n")[line - 1]) for line in lines}
    return {
        line: (str(document["key"]), document)
        for line, document in documents.items()
        if isinstance(document, dict)
    }


@pytest.mark.parametrize("name", OUTCOMES)
async def test_stored_and_rejected(engine: AsyncEngine, name: str) -> None:
    lines, rejected = OUTCOMES[name]
    statements: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    inspected = inspect(CASES / name, key_columns=["key"])
    for how in (
        Load(["key"], records_per_workflow=1),
        Load(["key"], records_per_workflow=1000, max_records=3),
    ):
        await clear(engine)
        codes = await store(engine, inspected, how)
        assert Counter(codes) == Counter("w" * len(lines) + "r" * len(rejected))
        found = await stored(engine, name)
        assert found.records == what_the_file_says(CASES / name, lines)
        assert found.letters == rejected
    inserts = sum(statement.startswith("INSERT INTO records") for statement in statements)
    assert bool(inserts) is bool(lines)


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(SourceError) as refusal:
        inspect(CASES / name, key_columns=["key"])
    assert str(refusal.value).startswith(f"{name}, {REFUSED[name]}")


async def test_c07_is_stored_in_its_encoding(engine: AsyncEngine, tmp_path: Path) -> None:
    file = readable(str(CASES / "C07_latin1.csv"), "latin-1", tmp_path)
    inspected = inspect(file.path, key_columns=["key"], name=file.name)
    assert await store(engine, inspected, Load(["key"])) == "www"
    texts = await fetch(engine, "SELECT payload->>'name' FROM records ORDER BY line")
    assert [text for (text,) in texts] == ["Item 1", "Café nº 2", "Item 3"]


async def test_b01_a_legal_backslash_u_is_text(engine: AsyncEngine) -> None:
    await store(engine, inspect(CASES / "B01_nul_in_payload.ndjson"), Load(["key"]))
    text = await scalar(engine, "SELECT payload::text FROM records WHERE line = 18")
    assert "\\\\u0000" in str(text)


async def test_e01_the_large_integer_is_legal(engine: AsyncEngine) -> None:
    await store(engine, inspect(CASES / "E01_three_poison_in_100.ndjson"), Load(["key"], 100))
    assert await scalar(engine, "SELECT payload->>'qty' FROM records WHERE line = 50") == str(2**40)


@pytest.mark.parametrize("max_records", [1000, 6000])
async def test_b04_stores_6000_rows_with_any_batch_size(
    engine: AsyncEngine, tmp_path: Path, max_records: int
) -> None:
    path = tmp_path / "B04_6000_rows.csv"
    rows = [f"r{n:05d},i{n},{n},{n % 97}.5,{n:05d},n\n" for n in range(6000)]
    path.write_text("key,name,qty,amount,zip,note\n" + "".join(rows))
    inspected = inspect(path, key_columns=["key"])
    how = Load(["key"], records_per_workflow=6000, max_records=max_records)
    assert await store(engine, inspected, how) == "w" * 6000
    counted = "SELECT count(*), min(payload->>'zip'), max(line) FROM records"
    assert await fetch(engine, counted) == [(6000, "00000", 6001)]
    largest = "SELECT max(n) FROM (SELECT count(*) n FROM records GROUP BY batch_id) batches"
    assert int(str(await scalar(engine, largest))) <= max_records


async def test_b05_duplicates_and_a_conflict_again_and_again(engine: AsyncEngine) -> None:
    inspected = inspect(CASES / "B05_duplicate_keys.csv", key_columns=["key"])
    assert Counter(await store(engine, inspected, Load(["key"]))) == Counter("wwwwwwwddc")
    first = await stored(engine, "B05_duplicate_keys.csv")
    assert first.letters == {6: "conflict"}
    assert sorted(key for key, _ in first.records.values()) == [
        "REC-0004", "rec-0001", "rec-0002", "rec-0003", "rec-0004", "rec-0004 ", "rec-0005",
    ]  # fmt: skip
    again = await store(engine, inspected, Load(["key"], run_label="again"))
    assert Counter(again) == Counter("dddddddddc")
    assert await stored(engine, "B05_duplicate_keys.csv") == first
    note = "SELECT payload->>'note' FROM records WHERE idempotency_key = 'rec-0003'"
    assert await scalar(engine, note) == "first version"


async def test_b07_two_flushes_of_the_same_keys(engine: AsyncEngine, tmp_path: Path) -> None:
    loads = []
    for name, numbers in (("a", range(1, 3001)), ("b", range(3000, 0, -1))):
        path = tmp_path / f"B07_shard_{name}.ndjson"
        line = '{{"key": "rec-{:04d}", "payload": {{"from": "{}"}}}}\n'
        path.write_text("".join(line.format(number, name) for number in numbers))
        how = Load(["key"], records_per_workflow=3000, max_records=3000)
        loads.append(store(engine, inspect(path), how))
    codes = Counter("".join(await asyncio.gather(*loads)))
    assert codes == {"w": 3000, "c": 3000}
    assert await scalar(engine, "SELECT count(*) FROM records") == 3000
    assert await fetch(engine, "SELECT reason, count(*) FROM dead_letters GROUP BY 1") == [
        ("conflict", 3000)
    ]


def large_ndjson(path: Path, records: int, size: int, *, deflates: bool = True) -> Path:
    """Write what A02_make_large_ndjson.py prints, or the same with text that does not deflate."""
    with path.open("w") as file:
        for number in range(records):
            filler = "x" * size if deflates else noise(size, number)
            blob = (f"{number:05d}" + filler)[:size]
            record = {"key": f"big-{number:05d}", "name": f"Item {number}", "qty": number}
            file.write(json.dumps({**record, "payload": {"blob": blob}}) + "\n")
    return path


@pytest.mark.parametrize(("deflates", "at_least"), [(True, 1), (False, 4)])
async def test_a02_batches_keep_to_the_byte_limit(
    engine: AsyncEngine, tmp_path: Path, deflates: bool, at_least: int
) -> None:
    path = large_ndjson(tmp_path / "large.ndjson", 500, 5_000, deflates=deflates)
    how = Load(["key"], records_per_workflow=500, max_records=500)
    sizes = [sum(len(one.records) for one in batch) for batch in batches(inspect(path), how)]
    assert len(sizes) >= at_least
    assert max(sizes) <= MAX_BATCH_BYTES
    assert await store(engine, inspect(path), how) == "w" * 500
    blob = "SELECT count(*) FROM records WHERE length(payload->'payload'->>'blob') = 5000"
    assert await scalar(engine, blob) == 500


@pytest.mark.parametrize("size", [2_200_000, 1_900_000])
async def test_a02_a_record_over_the_limit(engine: AsyncEngine, tmp_path: Path, size: int) -> None:
    path = large_ndjson(tmp_path / "one.ndjson", 1, size)
    assert await store(engine, inspect(path), Load(["key"])) == "r"
    ((line, reason, detail, truncated, length),) = await fetch(
        engine, "SELECT line, reason, detail, truncated, length(record) FROM dead_letters"
    )
    assert (line, reason, truncated, length) == (1, "too_large", True, 4096)
    assert f"has {path.stat().st_size - 1} bytes, at most 262144" in str(detail)
