"""Random CSV files: what Postgres holds is what the csv module reads, or why not."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batching_demo.main_service.files.source_file import SourceError
from tests.support.random_files import (
    Files,
    Reading,
    Rejected,
    in_order,
    quick,
    rejection_of_key,
)
from tests.support.storing import Load

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-32-be", "latin-1", "cp1252", "shift_jis"]


ALPHABETS = {
    "latin-1": st.sampled_from([chr(code) for code in range(1, 256)]),
    "cp1252": st.sampled_from(bytes(range(1, 256)).decode("cp1252", "ignore")),
    "shift_jis": st.sampled_from('日本語アあ、ab\r\n",ソ表'),
}


LINE_ENDS = ["\n", "\r\n", "\r"]


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
