"""How a number of things reads in a message."""


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the singular only for 1: `1 record`, `1,200 batches`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(('ch', 's')) else 's'}"
