"""Why a record cannot be stored as it is."""

from batching_demo.contracts import KIB

TRUNCATED_BYTES = 4 * KIB
"""What is kept of a record over the limit."""


class RejectionError(Exception):
    """One bad record; its text is a code for machines, a colon and a detail for people.

    The detail never repeats what the record holds: reasons reach logs and histories.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")


def truncated(raw: bytes) -> str:
    """Keep the beginning of a text, cut between two characters."""
    return raw[:TRUNCATED_BYTES].decode(errors="ignore")
