"""How many things there are, and which, as a message says it."""

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular only for 1: `1 record`, `1,200 batches`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(('ch', 's')) else 's'}"


def first_of(texts: Sequence[str], shown: int) -> str:
    """Return the first texts, and how many more there are: `a, b and 10 more`."""
    more = len(texts) - shown
    return ", ".join(texts[:shown]) + (f" and {more:,} more" if more > 0 else "")
