"""Keep what could not be stored, each once however often it comes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.models import dead_letters

TRUNCATED_REASON = "too_large"
"""The reason of records of which only the beginning is left."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that could not be stored as it is, and why."""

    key: str
    source: str
    line: int
    record: str
    reason: str
    detail: str
    sqlstate: str | None
    requester: str
    run_label: str

    @property
    def identity(self) -> bytes:
        """Tell letters apart, so that the same record refused again is the same letter."""
        place = ("key", self.key) if self.key else ("place", self.source, str(self.line))
        digest = hashlib.sha256()
        for part in (self.reason, *place, self.record):
            encoded = part.encode(errors="surrogatepass")
            digest.update(len(encoded).to_bytes(8) + encoded)
        return digest.digest()


async def bury(
    connection: AsyncConnection, letters: Sequence[DeadLetter], batch_id: UUID | None
) -> None:
    """Store letters; one that is there already is only seen again.

    Args:
        connection: commits every statement by itself.
        letters: any number, in any order.
        batch_id: the batch that they were refused in.
    """
    # Sorted, so that two writes with the same letters lock them in the same order.
    by_identity = dict(sorted((letter.identity, letter) for letter in letters))
    if not by_identity:
        return
    once = list(by_identity.values())
    await connection.execute(
        BURY,
        {
            "identities": list(by_identity),
            # A key stays as it is, for a retry has to use the same; only a NUL cannot be stored.
            "keys": [letter.key.replace("\0", "\\u0000") or None for letter in once],
            "sources": [ascii_text(letter.source) for letter in once],
            "lines": [letter.line for letter in once],
            "records": [ascii_text(letter.record) for letter in once],
            "truncated": [letter.reason == TRUNCATED_REASON for letter in once],
            "reasons": [letter.reason for letter in once],
            "details": [ascii_text(letter.detail) for letter in once],
            "sqlstates": [letter.sqlstate for letter in once],
            "requesters": [ascii_text(letter.requester) for letter in once],
            "run_labels": [ascii_text(letter.run_label) for letter in once],
            "batch_id": batch_id,
        },
    )


def ascii_text(text: str) -> str:
    """Escape all but printable ASCII, as JSON does; JSON text keeps its meaning."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character in "\n\t" or (character.isascii() and character.isprintable()):
        return character
    utf16 = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))


def _bury() -> Insert:
    letter = (
        func.unnest(
            bindparam("identities", type_=ARRAY(LargeBinary)),
            bindparam("keys", type_=ARRAY(Text)),
            bindparam("sources", type_=ARRAY(Text)),
            bindparam("lines", type_=ARRAY(BigInteger)),
            bindparam("records", type_=ARRAY(Text)),
            bindparam("truncated", type_=ARRAY(Boolean)),
            bindparam("reasons", type_=ARRAY(Text)),
            bindparam("details", type_=ARRAY(Text)),
            bindparam("sqlstates", type_=ARRAY(Text)),
            bindparam("requesters", type_=ARRAY(Text)),
            bindparam("run_labels", type_=ARRAY(Text)),
        )
        .table_valued(*_COLUMNS)
        .render_derived(name="letter")
    )
    chosen = select(
        *(letter.c[name] for name in _COLUMNS), bindparam("batch_id", type_=Uuid).label("batch_id")
    )
    return (
        insert(dead_letters)
        .from_select([*_COLUMNS, "batch_id"], chosen)
        .on_conflict_do_update(
            index_elements=[dead_letters.c.identity], set_={"last_seen": func.now()}
        )
    )


_COLUMNS = (
    "identity",
    "idempotency_key",
    "source",
    "line",
    "record",
    "truncated",
    "reason",
    "detail",
    "sqlstate",
    "requester",
    "run_label",
)
BURY = _bury()
