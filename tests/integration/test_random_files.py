"""Random files of every kind: what Postgres holds is what the file says, or why not."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Never
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.main_service.sources import SourceError, inspect
from batching_demo.main_service.spool import readable
from tests.storing import Load, Stored, store, stored

quick = settings(
    max_examples=100,
    deadline=None,
    # Every example has a source and keys of its own, so they may share a database.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32-be", "latin-1", "cp1252", "shift_jis"]
ALPHABETS = {
    "latin-1": st.sampled_from([chr(code) for code in range(1, 256)]),
    "cp1252": st.sampled_from(bytes(range(1, 256)).decode("cp1252", "ignore")),
    "shift_jis": st.sampled_from('日本語アあ、ab\r\n",ソ表'),
}
LINE_ENDS = ["\n", "\r\n", "\r"]


@dataclass(frozen=True)
class Rejected:
    """Stands for the payload of a record that is not stored."""

    reason: str


Reading = tuple[int, str, object | Rejected]
"""Line, key and payload of a record."""


@dataclass
class Outcome:
    """What has to become of a file."""

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


@pytest.fixture
def files(engine: AsyncEngine, tmp_path: Path) -> Files:
    return Files(engine, tmp_path)


def in_order(readings: list[Reading]) -> Outcome:
    """Decide what becomes of records that come in this order, a key at most once."""
    outcome = Outcome(Stored(), "")
    by_key: dict[str, object] = {}
    conflicts: set[tuple[str, str]] = set()
    for line, key, value in readings:
        if isinstance(value, Rejected):
            outcome.stored.letters[line] = value.reason
            outcome.codes += "r"
        elif key not in by_key:
            by_key[key] = value
            outcome.stored.records[line] = (key, value)
            outcome.codes += "w"
        elif by_key[key] == value:
            outcome.codes += "d"
        else:
            outcome.codes += "c"
            # The same record refused on several lines is one letter.
            if (key, repr(value)) not in conflicts:
                outcome.stored.letters[line] = "conflict"
            conflicts.add((key, repr(value)))
    return outcome


def rejection_of_key(key: str) -> Rejected | None:
    if not key.strip():
        return Rejected("key_empty")
    return Rejected("key_too_long") if len(key.encode()) > 512 else None


def csv_readings(
    text: str, delimiter: str, key_of: Callable[[dict[str, str], int], str]
) -> Iterator[Reading]:
    """Read as the csv module does; every row after the header.

    Raises:
        csv.Error: the text is no strict CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    for row in reader:
        if row and not header:
            header = [name.strip() for name in row]
        elif row:
            members = dict(zip(header, row, strict=False))
            value: object | Rejected = members
            key = key_of(members, line)
            if len(row) != len(header):
                value = Rejected("field_count")
            elif "\0" in "".join(row):
                value = Rejected("nul")
            else:
                value = rejection_of_key(key) or members
            yield line, key, value
        line = reader.line_num + 1


cells = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.text(st.sampled_from('a"\r\né,;\t \\\0\u2028\x85\x1c'), max_size=8),
    st.sampled_from(["", "007", "1e5", "NULL", " x ", "nan", "\ufeff", "k" * 513, '""', "'", "é"]),
)


@quick
@given(
    st.lists(st.lists(cells, min_size=2, max_size=2), max_size=8),
    st.sampled_from(",;\t| "),
    st.sampled_from(LINE_ENDS),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
)
async def test_csv_of_any_text(
    files: Files,
    rows: list[list[str]],
    delimiter: str,
    line_end: str,
    quoting: Any,
    records_per_workflow: int,
    has_mark: bool,
    has_key: bool,
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    writer.writerows([["a", "b"], *rows])
    content = ("\ufeff" * has_mark + text.getvalue()).encode()
    digest = sha256(content).hexdigest()
    prefix = uuid4().hex
    how = Load(["a"] if has_key else [], records_per_workflow, 4, key_prefix=prefix)

    def key_of(members: dict[str, str], line: int) -> str:
        return members.get("a", "") if has_key else f"{digest}:{line}"

    expected = in_order(
        [
            (line, prefix + key, value)
            for line, key, value in csv_readings(text.getvalue(), delimiter, key_of)
        ]
    )
    codes, found = await files.load(content, ".csv", how, delimiter=delimiter)
    assert found == expected.stored
    assert codes == expected.codes


@quick
@given(
    st.text(st.sampled_from('ab"\r\né,\0 '), max_size=40),
    st.sampled_from(LINE_ENDS),
    st.integers(1, 9),
)
@example('1,"\r\r\n"\r2,x', "\r", 1)
async def test_csv_that_nobody_wrote_on_purpose(
    files: Files, body: str, line_end: str, records_per_workflow: int
) -> None:
    text = f"x,y{line_end}{body}"
    content = text.encode()
    digest = sha256(content).hexdigest()
    prefix = uuid4().hex
    how = Load([], records_per_workflow, key_prefix=prefix)
    try:
        readings = list(csv_readings(text, ",", lambda _, line: f"{prefix}{digest}:{line}"))
    except csv.Error:
        with pytest.raises(SourceError, match=r"line \d+: "):
            await files.load(content, ".csv", how)
        return
    codes, found = await files.load(content, ".csv", how)
    assert (found, codes) == (in_order(readings).stored, in_order(readings).codes)


@quick
@given(st.data(), st.sampled_from(ENCODINGS), st.booleans(), st.booleans())
async def test_text_in_any_encoding_compressed_or_not(
    files: Files, data: st.DataObject, encoding: str, is_gzip: bool, is_csv: bool
) -> None:
    alphabet = ALPHABETS.get(encoding, st.characters(codec="utf-8", exclude_characters="\0"))
    texts = data.draw(st.lists(st.text(alphabet, max_size=20), max_size=6))
    lines = [f'"{text.replace(chr(34), chr(34) * 2)}"' for text in texts]
    if not is_csv:
        lines = [json.dumps({"a": text}, ensure_ascii=False) for text in texts]
    content = "".join(f"{line}\n" for line in ['"a"', *lines][not is_csv :]).encode(encoding)
    suffix = ".csv" if is_csv else ".ndjson"
    if is_gzip:
        middle = len(content) // 2
        content = gzip.compress(content[:middle]) + gzip.compress(content[middle:])
        suffix += ".gz"
    codes, found = await files.load(content, suffix, Load(key_prefix=uuid4().hex), encoding)
    assert codes == "w" * len(texts)
    payloads = [payload for _, (_, payload) in sorted(found.records.items())]
    assert payloads == [{"a": text} for text in texts]


numbers = st.one_of(
    st.integers().map(str),
    st.integers(min_value=10**18, max_value=10**40).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:f}"),
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ["NaN", "-Infinity", "1e999", "1e308", "-0", "-0.0", "1e-400", "1e-20000", "0e9999", "01"]
    ),
    st.sampled_from([400, 4_000, 4_001]).map(lambda digits: "9" * digits),
    st.sampled_from([30, 400, 16_383]).map(lambda digits: "-0." + "1" * digits),
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8)
scalars = st.one_of(
    numbers,
    st.sampled_from(["null", "true", '""', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"']),
    texts.map(json.dumps),
    texts,
)
names = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"é"'])


def arrays_and_objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds("{} :{}".format, names, inner)
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.lists(members, max_size=3).map(lambda parts: f"{{{','.join(parts)}}}"),
    )


documents = st.recursive(scalars, arrays_and_objects, max_leaves=6)
lines = st.one_of(
    documents.map('{{"v": {}}}'.format),
    documents,
    st.builds(lambda depth: '{"v": ' + "[" * depth + "]" * depth + "}", st.integers(495, 505)),
    st.sampled_from(["", " \t\r", "[1]", "{}", "{", '{"v":"\u2028\x85\x0c"}']),
)


def read_strictly(line: str) -> object | Rejected:
    """Read a line as JSON that Postgres can keep, by means of the json module alone."""

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse("duplicate_name")

    def integer(digits: str) -> Decimal:
        return Decimal(digits) if len(digits.strip("-")) <= 4000 else refuse("integer_too_long")

    def number(digits: str) -> Decimal:
        value = Decimal(digits)
        if abs(float(digits)) == float("inf"):
            refuse("not_finite")
        # No numeric of Postgres has more digits behind the point.
        exponent = value.as_tuple().exponent
        return value if isinstance(exponent, int) and exponent >= -16383 else refuse("range")

    def refuse(reason: str) -> Never:
        raise ValueError(reason)

    try:
        value = json.loads(
            line,
            object_pairs_hook=members,
            parse_int=integer,
            parse_float=number,
            parse_constant=lambda _: refuse("not_finite"),
        )
    except (ValueError, RecursionError):
        return Rejected("any")
    if not isinstance(value, dict) or _is_unstorable(value):
        return Rejected("any")
    return value


def _is_unstorable(value: object, depth: int = 1) -> bool:
    if isinstance(value, str):
        return bool(re.search("[\0\ud800-\udfff]", value))
    if not isinstance(value, dict | list):
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return depth > 500 or any(_is_unstorable(part, depth + 1) for part in parts)


@settings(quick, max_examples=150)
@given(
    st.lists(lines, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.integers(1, 9),
)
@example(
    ['{"v": 0.123456789012345678901234567890}', '{"v": 9223372036854775808}', '{"v": [1e308]}'],
    "\n", True, 2,
)  # fmt: skip
async def test_ndjson_of_any_kind(
    files: Files, texts: list[str], line_end: str, ends: bool, records_per_workflow: int
) -> None:
    # A first line that is an object, so that the file is not one JSON array.
    content = (line_end.join(['{"first": 1}', *texts]) + line_end * ends).encode()
    texts = content.decode().split("\n")
    digest = sha256(content).hexdigest()
    prefix = uuid4().hex
    how = Load([], records_per_workflow, key_prefix=prefix)
    codes, found = await files.load(content, ".ndjson", how)
    readings = {
        line: read_strictly(text) for line, text in enumerate(texts, 1) if text.strip(" \t\r\n")
    }
    good = {line: value for line, value in readings.items() if not isinstance(value, Rejected)}
    assert found.records == {
        line: (f"{prefix}{digest}:{line}", value) for line, value in good.items()
    }
    assert found.letters.keys() == readings.keys() - good.keys()
    assert len(codes) == len(readings)


json_keys = st.one_of(
    st.integers(-3, 3).map(str),
    st.sampled_from(["1.0", "1e0", "null", "true", '"1"', '""', '" \\t"', '"\\u00a0"', "[1]"]),
    st.sampled_from(['"é"', '"\\u00e9"', '"e\\u0301"', '"A"', '"a"', '"a "', '"\\ud83d\\ude00"']),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3).map(json.dumps),
    st.just('"' + "é" * 257 + '"'),
)


@quick
@given(st.lists(st.tuples(json_keys, st.sampled_from("12")), max_size=10), st.integers(1, 9))
async def test_keys_of_ndjson(
    files: Files, pairs: list[tuple[str, str]], records_per_workflow: int
) -> None:
    content = "".join(f'{{"k": {key}, "v": {value}}}\n' for key, value in pairs).encode()
    prefix = uuid4().hex
    how = Load(["k"], records_per_workflow, 5, key_prefix=prefix)
    readings: list[Reading] = []
    for line, (key, value) in enumerate(pairs, 1):
        read = json.loads(key)
        is_key = isinstance(read, str) or (isinstance(read, int) and not isinstance(read, bool))
        reason = "key_null" if read is None else "key_type"
        rejected = Rejected(reason) if not is_key else rejection_of_key(str(read))
        payload = {"k": read, "v": int(value)}
        readings.append((line, prefix + str(read), rejected or payload))
    expected = in_order(readings)
    codes, found = await files.load(content, ".ndjson", how)
    assert found.letters == expected.stored.letters
    assert found.records == expected.stored.records
    assert codes == expected.codes
