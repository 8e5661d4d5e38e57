import inspect
import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Never

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batching_demo.records.json_text import canonical, integer_text, parse_object
from batching_demo.records.rejection import RejectionError
from tests.support.json_texts import objects, spelled_otherwise


def rejection_code(text: str) -> str | None:
    try:
        canonical(parse_object(text))
    except RejectionError as rejection:
        return str(rejection).partition(":")[0]
    return None


@given(objects, st.booleans(), st.booleans(), st.sampled_from([None, 0, 2]))
def test_canonical_form_is_one_for_every_spelling(
    value: dict[str, object], ascii_before: bool, ascii_after: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_before)
    other = spelled_otherwise(text, ensure_ascii=ascii_after, indent=indent)
    assert canonical(parse_object(text)) == canonical(parse_object(other))


@given(objects)
def test_canonical_form_is_the_sorted_compact_text(value: dict[str, object]) -> None:
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(parse_object(json.dumps(value))) == expected


@given(objects, objects)
def test_other_objects_have_another_canonical_form(
    one: dict[str, object], other: dict[str, object]
) -> None:
    texts = {json.dumps(value, sort_keys=True) for value in (one, other)}
    assert len({canonical(parse_object(text)) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "\\u00e9"}', '{"a":"é"}'),
        ('{"b": {"d": 1, "c": 2}, "a": []}', '{"a":[],"b":{"c":2,"d":1}}'),
        ('{"a": 1.00}', '{"a":1.00}'),
        ('{"a": [1E5, -0, 9223372036854775808]}', '{"a":[1E5,-0,9223372036854775808]}'),
        ('{"a": "1"}', '{"a":"1"}'),
        ('{"a": "\\/\\ud83d\\ude00\\u0007"}', '{"a":"/😀\\u0007"}'),
        ('{"a": "\\\\u0000"}', '{"a":"\\\\u0000"}'),
        ('{"1": 1}', '{"1":1}'),
    ],
)
def test_canonical_form(text: str, expected: str) -> None:
    assert canonical(parse_object(text)) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: abs(d) < 10**300))
def test_numbers_keep_every_digit(number: Decimal) -> None:
    text = json.dumps({"a": 0}).replace("0", str(number))
    kept = json.loads(canonical(parse_object(text)), parse_float=Decimal, parse_int=Decimal)
    assert kept == {"a": number}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "invalid_json"),
        ("{'a': 1}", "invalid_json"),
        ('{"a": 1},', "invalid_json"),
        ('{"a": 1}{"b": 2}', "invalid_json"),
        ('{"a": 01}', "invalid_json"),
        ('{"a": "\t"}', "invalid_json"),
        ('{"a": "\0"}', "invalid_json"),
        ('{"a": "\\x"}', "invalid_json"),
        ('\ufeff{"a": 1}', "invalid_json"),
        ('{"a": "', "invalid_json"),
        ("[]", "not_an_object"),
        ('"a"', "not_an_object"),
        ("1", "not_an_object"),
        ("-1.5", "not_an_object"),
        ("null", "not_an_object"),
        ('{"a": 1, "a": 1}', "duplicate_name"),
        ('{"a": {"b": 1, "\\u0062": 2}}', "duplicate_name"),
        ('{"a": NaN}', "not_finite"),
        ('{"a": [-Infinity]}', "not_finite"),
        ('{"a": 1e999}', "not_finite"),
        ('{"a": -1.5E+400}', "not_finite"),
        ('{"a": ' + "9" * 4_001 + "}", "integer_too_long"),
        ('{"a": -' + "9" * 4_001 + "}", "integer_too_long"),
        ('{"a": "\\u0000"}', "nul"),
        ('{"a\\u0000": 1}', "nul"),
        ('{"a": ["\\\\\\u0000"]}', "nul"),
        ('{"a": "\\ud800"}', "lone_surrogate"),
        ('{"a": "\\uDFFF"}', "lone_surrogate"),
        ('{"\\udfff": 1}', "lone_surrogate"),
        ('{"a": "\\ude00\\ud83d"}', "lone_surrogate"),
        ('{"a": "\\ud83d\\ud83d\\ude00"}', "lone_surrogate"),
        ('{"a": "\\ud83d \\ude00"}', "lone_surrogate"),
        ('{"a": ' * 501 + "1" + "}" * 501, "too_deep"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "too_deep"),
        ("[" * 200_000, "too_deep"),
    ],
)
def test_rejected_texts(text: str, code: str) -> None:
    assert rejection_code(text) == code


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ' * 500 + "1" + "}" * 500,
        '{"a": ' + "[" * 499 + "]" * 499 + "}",
        '{"a": "' + "[{" * 1_000 + '"}',
        '{"a": [' + "[]," * 1_000 + "[]]}",
        '{"a": ' + "9" * 4_000 + "}",
        '{"a": -' + "9" * 4_000 + "}",
        '{"a": 1e-400}',
        '{"a": "\u2028\u0085\\u001f"}',
        "{}",
    ],
)
def test_stored_texts(text: str) -> None:
    assert rejection_code(text) is None


# Half valid JSON, so that mutations stay near the border.
near_json = st.one_of(
    st.text(),
    st.text(st.sampled_from('{}[]":,\\u0dDeE+-.19 anftrusl')),
    st.builds(
        lambda text, at, change: text[: at % (len(text) + 1)] + change + text[at % len(text) :],
        objects.map(json.dumps),
        st.integers(0, 10_000),
        st.text(st.sampled_from('{}[]":,\\u0dDeE+-.19 \0é')),
    ),
)


def has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(has_nul(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(map(has_nul, value))
    return isinstance(value, str) and "\0" in value


def read_strictly(text: str) -> dict[str, object] | None:
    """Read an object with the json module; give None for what must be refused."""

    def refuse(what: object) -> Never:
        raise ValueError(what)

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        return dict(pairs) if len(dict(pairs)) == len(pairs) else refuse(pairs)

    try:
        value = json.loads(text, object_pairs_hook=members, parse_constant=refuse)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return None
    return value if isinstance(value, dict) and not has_nul(value) else None


@given(near_json)
@example('{"":0,"\\ud800\\udc00":"\\\\ud800"}')
@example('{"":["\\u0000"]}')
def test_what_passes_is_what_json_reads_strictly(text: str) -> None:
    stripped = text.strip(" \t\r\n")
    expected = read_strictly(stripped)
    if expected is None:
        assert rejection_code(stripped) is not None
    else:
        assert json.loads(canonical(parse_object(stripped))) == expected


def cpu_seconds(text: str) -> float:
    """Measure how long a text keeps the processor, which a busy machine hardly changes."""

    def once() -> float:
        began = time.process_time()
        assert rejection_code(text) in {None, "too_deep", "invalid_json", "not_finite"}
        return time.process_time() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize(
    "text_of",
    [
        lambda size: '{"a":"' + '[\\"' * (size // 3),
        lambda size: '"[' * (size // 2),
        lambda size: '{"a":"' + "\\\\" * (size // 2) + '\\u00e9"}',
        lambda size: '{"a":0.' + "1" * size + "}",
        lambda size: '{"a":' + "1" * size + "e-5}",
    ],
    ids=["open text", "open arrays", "backslashes", "digits", "digits and exponent"],
)
def test_time_grows_with_length_only(text_of: Callable[[int], str]) -> None:
    """Four times the length takes sixteen times as long where time grows with the square."""
    assert cpu_seconds(text_of(240_000)) < 10 * cpu_seconds(text_of(60_000)) + 0.01


@given(st.integers(0, 600))
def test_little_stack_left_is_no_error(left: int) -> None:
    def code_at(frames: int) -> str | None:
        return code_at(frames - 1) if frames else rejection_code('{"a": ' * 500 + "1" + "}" * 500)

    used = len(inspect.stack())
    assert code_at(max(0, sys.getrecursionlimit() - used - left - 20)) in {None, "too_deep"}


def test_integers() -> None:
    members = parse_object('{"a": 12, "b": -0, "c": 1.0, "d": "12", "e": true, "f": 1e2}')
    texts = {name: integer_text(value) for name, value in members.items()}
    assert texts == {"a": "12", "b": "0", "c": None, "d": None, "e": None, "f": None}


def test_details_repeat_nothing_of_the_record() -> None:
    for text in ('{"secret": "secret\\u0000"}', '{"secret": secret}', '{"secret":1,"secret":2}'):
        with pytest.raises(RejectionError) as rejection:
            parse_object(text)
        assert "secret" not in str(rejection.value)
