import csv
import io
import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.main_service.files import csv_format
from batching_demo.main_service.files.csv_format import CsvGrammar
from batching_demo.main_service.files.ndjson_format import NdjsonGrammar
from batching_demo.main_service.files.scanning import Grammar, StructureError, count_lines, scan


def csv_text(delimiter: str = ",") -> st.SearchStrategy[str]:
    short = st.text(st.sampled_from('a"\r\né' + delimiter), max_size=30)
    # More than one match takes.
    units = ['a"', '""', f'"a"{delimiter}', f'"a"""{delimiter}']
    long = st.builds(str.__mul__, st.sampled_from(units), st.integers(99, 205))
    return short | st.lists(short | long, max_size=4).map("".join)


def pieces(text: str, cuts: list[int]) -> list[bytes]:
    data = text.encode()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def lines_before(text: bytes, grammar: Grammar) -> int:
    return count_lines([text], grammar)


def rows_of_csv_module(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, line = [], 1
    for row in reader:
        if row:
            rows.append((line, row))
        line = reader.line_num + 1
    return rows


@given(st.data(), st.sampled_from(",;\t|x^]-\\ "), st.lists(st.integers(0, 1000)))
def test_csv_records_are_those_of_the_csv_module(
    data: st.DataObject, delimiter: str, cuts: list[int]
) -> None:
    text = data.draw(csv_text(delimiter))
    try:
        expected = rows_of_csv_module(text, delimiter)
    except csv.Error:
        with pytest.raises(StructureError):
            list(scan(pieces(text, cuts), CsvGrammar(delimiter)))
        return
    found = []
    for start, end in scan(pieces(text, cuts), CsvGrammar(delimiter)):
        line = 1 + lines_before(text.encode()[:start], CsvGrammar(delimiter))
        record = text.encode()[start:end].decode()
        found += [(line + first - 1, row) for first, row in rows_of_csv_module(record, delimiter)]
    assert found == expected


@given(csv_text(), st.lists(st.integers(0, 1000)))
def test_where_a_csv_is_wrong_does_not_depend_on_the_pieces(text: str, cuts: list[int]) -> None:
    def outcome(parts: list[bytes]) -> tuple[int, str] | None:
        try:
            list(scan(parts, CsvGrammar(",")))
        except StructureError as error:
            return error.offset, str(error)
        return None

    assert outcome(pieces(text, cuts)) == outcome([text.encode()])


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (b'a,"b', 2),
        (b'a,"b""', 2),
        (b'a,"b"\n"c,"d"', 10),
        (b'"a" ,b', 3),
        (b'x\n"a"b,c\n', 5),
        (b'"ok"\r\n"""', 6),
        (b'a"a,"\n', 4),
        (b'a"a,",b\n', 4),
        (b'"a",' * 250 + b'"b"c\n', 1_003),
        (b'"' + b'""' * 250 + b'"b\n', 502),
    ],
)
def test_where_a_csv_is_wrong(text: bytes, offset: int) -> None:
    for parts in ([text], [text[at : at + 1] for at in range(len(text))]):
        with pytest.raises(StructureError) as failure:
            list(scan(parts, CsvGrammar(",")))
        assert failure.value.offset == offset


@given(
    st.text(st.sampled_from("{} \t\r\n\u2028\u0085\x0b"), max_size=30),
    st.lists(st.integers(0, 1000)),
)
def test_ndjson_records_are_lines_that_are_not_blank(text: str, cuts: list[int]) -> None:
    expected = [line for line in text.split("\n") if line.strip(" \t\r")]
    spans = scan(pieces(text, cuts), NdjsonGrammar())
    assert [text.encode()[start:end].decode() for start, end in spans] == expected


@given(csv_text(), st.lists(st.integers(0, 1000)))
def test_line_ends_are_those_of_universal_newlines(text: str, cuts: list[int]) -> None:
    lines = io.StringIO(text + "x", newline="").readlines()
    assert count_lines(pieces(text, cuts), CsvGrammar(",")) == len(lines) - 1


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", [b'"', b'""', b"a", b",", b'a"', b'"",', b"\r", b'"\n"'])
def test_time_grows_with_length_only(piece: bytes) -> None:
    parts = [piece * (262_144 // len(piece))] * 4
    with suppress(StructureError):
        assert len(list(scan(parts, CsvGrammar(",")))) < 1_000_000


def test_no_pattern_repeats_a_group_possessively() -> None:
    """It goes wrong before Python 3.11.5 (python/cpython#106052); a repeat of one class does not.

    An atomic group would be right, but it takes memory for each repeat inside.
    """
    forbidden = re.compile(r"\)(?:[*+?]|\{[0-9,]*\})\+|\(\?>")
    assert forbidden.search('"(?:a|b)*+"')
    package = Path(csv_format.__file__).parents[2]
    texts = {path.name: path.read_text() for path in package.rglob("*.py")}
    assert "json_text.py" in texts
    assert [name for name, text in texts.items() if forbidden.search(text)] == []
