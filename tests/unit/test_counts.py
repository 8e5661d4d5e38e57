"""How numbers of things read."""

import pytest

from batching_demo.contracts.counts import count, first_of


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "record", "0 records"),
        (1, "record", "1 record"),
        (2, "record", "2 records"),
        (1, "batch", "1 batch"),
        (12_000, "batch", "12,000 batches"),
    ],
)
def test_only_one_is_singular(number: int, noun: str, text: str) -> None:
    assert count(number, noun) == text


@pytest.mark.parametrize(
    ("shown", "text"), [(1, "a and 2 more"), (2, "a, b and 1 more"), (3, "a, b, c"), (4, "a, b, c")]
)
def test_those_that_are_not_named_are_counted(shown: int, text: str) -> None:
    assert first_of(["a", "b", "c"], shown) == text
