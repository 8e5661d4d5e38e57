"""A text that a database cannot hold is kept escaped, and can be read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.database.encoding import Encoding, storable_text

texts = st.text(
    st.one_of(st.characters(exclude_categories=()), st.sampled_from("\\u065e5ud83d00é日再"))
)


@pytest.mark.parametrize("name", ["UTF8", "SQL_ASCII", "LATIN1", "WIN1252", "EUC_KR", "EUC_TW"])
@given(text=texts)
def test_what_is_escaped_can_be_held_and_read_back(name: str, text: str) -> None:
    encoding = Encoding(name)
    kept = encoding.escape(text)
    assert encoding.holds(kept)
    assert "\0" not in kept
    assert encoding.unescape(kept) == storable_text(text)
    assert encoding.escape_all([text, "plain", text]) == [kept, "plain", kept]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain", "plain"),
        ("é日.csv", r"é\u65e5.csv"),
        ("😀", r"\ud83d\ude00"),
        (r"\u65e5", r"\u005cu65e5"),
        (r"C:\users \u00", r"C:\users \u00"),
        ("a\0b", r"a\u0000b"),
    ],
)
def test_only_what_latin1_lacks_is_escaped(text: str, kept: str) -> None:
    assert Encoding("LATIN1").escape(text) == kept


def test_postgres_name_of_an_encoding_is_known_to_python() -> None:
    assert [Encoding(name).holds("ж") for name in ("KOI8R", "WIN1251", "LATIN1")] == [
        True,
        True,
        False,
    ]
