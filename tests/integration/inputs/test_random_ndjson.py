"""Random NDJSON files: what Postgres holds is what the json module reads, or why not."""

import json
import re
from decimal import Decimal
from hashlib import sha256
from typing import Never
from uuid import uuid4

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.random_files import (
    Files,
    Reading,
    Rejected,
    in_order,
    quick,
    rejection_of_key,
)
from tests.support.storing import Load

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
