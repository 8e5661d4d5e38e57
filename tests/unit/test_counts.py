"""How numbers of things read."""

import pytest

from batching_demo.contracts.counts import count


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
