"""Keep records that could not be stored, each once however often it comes."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    LargeBinary,
    Text,
    Uuid,
    bindparam,
    case,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.encoding import encoding_of, escaped, storable_text, unescaped
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
    target: str = RECORDS_TARGET

    @property
    def identity(self) -> bytes:
        """The same for the same record refused again."""
        return dead_letter_identity(
            self.reason,
            self.key,
            self.record,
            source=self.source,
            line=self.line,
            target=self.target,
        )


def dead_letter_identity(
    reason: str, key: str, record: str, *, source: str, line: int, target: str = RECORDS_TARGET
) -> bytes:
    """Return a digest of what tells dead letters apart, as it is stored: a retry submits that."""
    place: tuple[str, ...] = ("key", key) if key else ("place", source, str(line))
    if target != RECORDS_TARGET:
        place = (*place, "target", target)
    digest = hashlib.sha256()
    for part in (*map(storable_text, (reason, *place)), ascii_text(record)):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8) + encoded)
    return digest.digest()


async def insert_dead_letters(
    connection: AsyncConnection, letters: Sequence[DeadLetter], batch_id: UUID | None
) -> None:
    """Insert dead letters; one that is there already is only seen again.

    One that had been retried is open again, for its record is not stored any more; one that was
    discarded stays so.

    Args:
        connection: Commits every statement by itself.
        letters: Any number, in any order.
        batch_id: The batch that their records were refused in.
    """
    # Sorted, so that two writes with the same dead letters lock them in the same order. Of several
    # with one identity the first is kept.
    identified = [(letter.identity, letter) for letter in reversed(letters)]
    by_identity = dict(sorted(identified, key=itemgetter(0)))
    if not by_identity:
        return
    once = list(by_identity.values())
    encoding = encoding_of(connection)

    def kept(texts: Iterable[str]) -> list[str]:
        return [encoding.escape(text) for text in texts]

    await connection.execute(
        INSERT,
        {
            "identity": list(by_identity),
            "idempotency_key": [key or None for key in kept(letter.key for letter in once)],
            "source": kept(letter.source for letter in once),
            "line": [letter.line for letter in once],
            "record": [ascii_text(letter.record) for letter in once],
            "truncated": [letter.reason == TRUNCATED_REASON for letter in once],
            "reason": kept(letter.reason for letter in once),
            "detail": [ascii_text(letter.detail) for letter in once],
            "sqlstate": [letter.sqlstate for letter in once],
            "requester": kept(letter.requester for letter in once),
            "run_label": kept(letter.run_label for letter in once),
            "target": kept(letter.target for letter in once),
            "batch_id": batch_id,
        },
    )


def ascii_text(text: str) -> str:
    """Escape all but printable ASCII, as JSON does; JSON text keeps its meaning."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped_unless_plain(character) for character in text)


def plain_text(ascii_json: str) -> str:
    """Write the characters that `ascii_text` escaped in JSON text as themselves again."""
    return _ESCAPES.sub(_plain, ascii_json)


# A run of escapes, so that pairs of surrogates stay together; any other escape stays as it is.
_ESCAPES = re.compile(r"((?:\\u(?!00[0-7])[0-9a-f]{4})+)|\\.", re.DOTALL)


def _plain(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    return unescaped(match[1])


def _escaped_unless_plain(character: str) -> str:
    # White space between the parts of a JSON text may not be escaped.
    if character in "\r\n\t" or (character.isascii() and character.isprintable()):
        return character
    return escaped(character)


def _insert() -> Insert:
    letter = (
        func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in _SENT.items()))
        .table_valued(*_SENT)
        .render_derived(name="letter")
    )
    chosen = select(
        *(letter.c[name] for name in _SENT), bindparam("batch_id", type_=Uuid).label("batch_id")
    )
    reopened = case((dead_letters.c.status == "retried", "open"), else_=dead_letters.c.status)
    return (
        insert(dead_letters)
        .from_select([*_SENT, "batch_id"], chosen)
        .on_conflict_do_update(
            index_elements=[dead_letters.c.identity],
            set_={"last_seen": func.now(), "status": reopened},
        )
    )


_SENT: Mapping[str, type[TypeEngine[Any]]] = {
    "identity": LargeBinary,
    "idempotency_key": Text,
    "source": Text,
    "line": BigInteger,
    "record": Text,
    "truncated": Boolean,
    "reason": Text,
    "detail": Text,
    "sqlstate": Text,
    "requester": Text,
    "run_label": Text,
    "target": Text,
}
"""The columns of a dead letter that are parameters, with the types that they are sent as."""
INSERT = _insert()
