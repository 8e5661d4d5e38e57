"""What a dead letter keeps of a record means the same, and is the same record when retried."""

from hypothesis import given
from hypothesis import strategies as st

from batching_demo.database.dead_letters.storing import DeadLetter, ascii_text, plain_text
from batching_demo.database.encoding import storable_text
from batching_demo.records.json_text import canonical, parse_object
from tests.support.json_texts import objects, spelled_otherwise

anything = st.text(st.characters(exclude_categories=()))


@given(objects, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_kept_of_json_means_the_same(
    value: dict[str, object], ensure_ascii: bool, indent: int | None
) -> None:
    text = spelled_otherwise(canonical(value_of(value)), ensure_ascii=ensure_ascii, indent=indent)
    for again in (ascii_text(text), plain_text(ascii_text(text))):
        assert canonical(parse_object(again)) == canonical(parse_object(text))


def value_of(value: dict[str, object]) -> dict[str, object]:
    return parse_object(spelled_otherwise(canonical(value), ensure_ascii=True, indent=None))


def test_white_space_between_the_parts_of_json_is_kept() -> None:
    text = '{"a":\r\n\t1}'
    assert ascii_text(text) == text


def test_only_what_was_escaped_for_keeping_is_plain_again() -> None:
    kept = r'{"a": "\u00e9\ud83d\ude00 \\u00e9 \u0000 \u007f \n \"", "b": "\u00E9"}'
    plain = r'{"a": "é😀 \\u00e9 \u0000 \u007f \n \"", "b": "\u00E9"}'
    assert plain_text(kept) == plain


@given(anything)
def test_what_is_kept_is_ascii_and_what_is_named_is_storable(text: str) -> None:
    assert ascii_text(text).isascii()
    assert "\0" not in ascii_text(text) + storable_text(text).encode().decode()
    assert storable_text(storable_text(text)) == storable_text(text)


@given(anything, anything, anything)
def test_a_retried_record_is_the_same_letter(key: str, source: str, record: str) -> None:
    first = letter(key, source, record)
    kept = ascii_text(record)
    for again in (kept, plain_text(kept)):
        assert letter(storable_text(key), storable_text(source), again).identity == first.identity


def letter(key: str, source: str, record: str) -> DeadLetter:
    return DeadLetter(key, source, 1, record, "reason", "", None, "main-1", "first")
