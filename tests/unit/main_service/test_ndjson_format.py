"""Where the lines of an NDJSON file begin and end, whatever pieces it is read in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.main_service.files.ndjson_format import records
from batching_demo.main_service.files.structure import EncodingError


@given(
    st.text(st.sampled_from("{é} \t\r\n\u2028\u0085\x0b"), max_size=30),
    st.lists(st.integers(0, 100)),
)
def test_records_are_lines_that_are_not_blank(text: str, cuts: list[int]) -> None:
    data = text.encode()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    parts = [data[start:end] for start, end in pairwise(places)]
    found = [(line, data[start - 3 : end - 3].decode()) for line, start, end in records(parts, 3)]
    assert found == [
        (number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip(" \t\r")
    ]


@pytest.mark.parametrize(
    ("data", "line"), [(b"\xff", 1), (b"{}\r\n\n\xc3\xa9\xc3\n", 3), (b"{}\n\xe2\x82", 2)]
)
def test_the_line_that_is_not_utf_8_is_named(data: bytes, line: int) -> None:
    for parts in ([data], [bytes([byte]) for byte in data]):
        with pytest.raises(EncodingError, match=r"byte 0x.. is not UTF-8") as failure:
            list(records(parts, 0))
        assert failure.value.line == line
