"""Name the records that have no verdict yet."""

from collections.abc import Sequence

from batching_demo.contracts.encoding import decode_records

NAMED = 20
SHOWN_CHARACTERS = 100


def describe_undecided(encoded: Sequence[bytes]) -> str:
    """Name records by key, or by line where they have none.

    They may be stored all the same: only their verdict is missing.
    """
    names: list[str] = []
    for submission in encoded:
        columns = decode_records(submission)
        names += [
            repr(key[:SHOWN_CHARACTERS]) if key else f"line {line}"
            for key, line in zip(columns.keys, columns.lines, strict=True)
        ]
    if not names:
        return "every record has its verdict"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"no verdict yet for {len(names)} records, which may be stored or not:"
        f" {', '.join(names[:NAMED])}{more}"
    )
