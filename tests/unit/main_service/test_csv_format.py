"""Where the records of a CSV file begin and end, whatever pieces it is read in."""

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batching_demo.main_service.files import csv_format
from batching_demo.main_service.files.csv_format import records
from batching_demo.main_service.files.structure import EncodingError, Record, StructureError

texts = st.text(st.sampled_from('aé"\r\n,;'), max_size=40)
cuts = st.lists(st.integers(0, 100))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def outcome(parts: list[bytes], delimiter: str = ",") -> list[Record] | tuple[int, str]:
    try:
        return list(records(parts, 0, delimiter))
    except StructureError as error:
        return error.line, str(error)


@given(texts, st.sampled_from(",;"), cuts)
def test_a_record_is_what_the_csv_module_reads_there(
    text: str, delimiter: str, cuts: list[int]
) -> None:
    found = outcome(pieces(text.encode(), cuts), delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    expected, line = [], 1
    try:
        for row in reader:
            if row:
                expected.append((line, row))
            line = reader.line_num + 1
    except csv.Error:
        assert isinstance(found, tuple)
        return
    assert isinstance(found, list)
    alone = [(line, text.encode()[start:end].decode()) for line, start, end in found]
    assert [
        (line, row)
        for line, record in alone
        for row in csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, strict=True)
    ] == expected


@given(st.one_of(st.binary(max_size=40), texts.map(str.encode)), cuts)
@example(b"a\r\nb", [2])
def test_pieces_make_no_difference(data: bytes, cuts: list[int]) -> None:
    assert outcome(pieces(data, cuts)) == outcome(pieces(data, []))


def test_line_ends_are_no_part_of_a_record() -> None:
    data = b'a,b\r\n\r\n1,"2\r\n"\r3,4\n\n5,6'
    assert list(records([data], 0, ",")) == [(1, 0, 3), (3, 7, 14), (5, 15, 18), (7, 20, 23)]
    assert next(records([data], 3, ",")) == (1, 3, 6)


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ('a,"b', 1, "never closed"),
        ('a,"', 1, "never closed"),
        ('a\n\n"', 3, "never closed"),
        ('a,"b""', 1, "never closed"),
        ('a,"\r\n', 1, "never closed"),
        ('a\r"b\nc",d\n1,"2\r\n\r\n3', 4, "never closed"),
        ('a\n"b\nc","d\nef\ngh\n', 3, "never closed"),
        ('"a" ,b', 1, "text follows"),
        ('x\n"a"b,c\n', 2, "text follows"),
        ('x\n"a\r\n\r\n"b,c\n', 4, "text follows"),
        ('"ok"\r\n"""', 2, "never closed"),
        ("é\n\udcff", 2, "byte 0xFF is not UTF-8"),
        ('a\n"b\n\udcc3"\n', 3, "byte 0xC3 is not UTF-8"),
        ("a\r\udce2\udc82", 2, "byte 0xE2 is not UTF-8"),
        ('a\n"b"c\n\udce9', 2, "text follows"),
        ('a\n"b"\udce9\n', 2, "byte 0xE9 is not UTF-8"),
    ],
)
def test_where_a_csv_is_wrong(text: str, line: int, cause: str) -> None:
    data = text.encode(errors="surrogateescape")
    for parts in ([data], [bytes([byte]) for byte in data]):
        with pytest.raises(StructureError, match=cause) as failure:
            list(records(parts, 0, ","))
        assert failure.value.line == line
        assert isinstance(failure.value, EncodingError) == ("UTF-8" in cause)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("record", ["a" * 99, '"' + "\n" * 97 + '"', '"",' * 33, "é" * 49 + "a"])
def test_a_record_that_is_too_long_is_refused(
    monkeypatch: pytest.MonkeyPatch, record: str, size: int
) -> None:
    data = f"k\n\n{record}\n1".encode()
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    monkeypatch.setattr(csv_format, "LONGEST_RECORD_BYTES", 100)
    assert outcome(parts) == [(1, 0, 1), (3, 3, 102), (4 + record.count("\n"), 103, 104)]
    monkeypatch.setattr(csv_format, "LONGEST_RECORD_BYTES", 99)
    with pytest.raises(StructureError, match="begins here is longer than 99 bytes") as failure:
        list(records(parts, 0, ","))
    assert failure.value.line == 3
