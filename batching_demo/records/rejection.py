"""Why a record cannot be stored as it is."""

from collections.abc import Sequence

from batching_demo.contracts.counts import first_of
from batching_demo.contracts.limits import KIB

TRUNCATED_BYTES = 4 * KIB
"""What is kept of a record over the limit."""
LONGEST_SHOWN = 80
NAMES_SHOWN = 20


class RejectionError(Exception):
    """One bad record; its text is a code for machines, a colon and a detail for people.

    The detail never repeats what the record holds: reasons reach logs and histories.

    Args:
        code: The same for all problems of a kind.
        detail: What is wrong.
        position: Of the character in the text where it goes wrong, if that is known.
    """

    def __init__(self, code: str, detail: str, position: int | None = None) -> None:
        place = "" if position is None else f" at column {position + 1}"
        super().__init__(f"{code}: {detail}{place}")
        self.code = code
        self.detail = detail
        self.position = position


def shown(name: str) -> str:
    """Quote a name, or the beginning of a long one, for a message."""
    return repr(name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}...")


def shown_names(names: Sequence[str]) -> str:
    """Quote names for a message, of many the first ones."""
    return first_of([shown(name) for name in names], NAMES_SHOWN)


def truncated(raw: bytes) -> str:
    """Keep the beginning of a text, cut between two characters."""
    return raw[:TRUNCATED_BYTES].decode(errors="ignore")
