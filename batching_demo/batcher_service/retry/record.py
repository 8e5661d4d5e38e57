"""Make a record of a dead letter again, or say what it lacks."""

from batching_demo.contracts.encoding import PreparedRecord, encoded_size
from batching_demo.contracts.limits import MAX_RECORD_BYTES
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.dead_letters.queries import StoredDeadLetter
from batching_demo.database.dead_letters.storing import plain_text
from batching_demo.records.json_text import canonical, content_hash, parse_object
from batching_demo.records.key import check_key
from batching_demo.records.rejection import RejectionError

NEVER_AN_OBJECT = ("invalid_json", "field_count")
"""Reasons of records that were no JSON; escaped as they are kept, some could be taken for it."""


class RetryRefusedError(Exception):
    """A dead letter cannot be submitted like this; the message names it and what it needs."""


def record_again(
    letter: StoredDeadLetter, kept: str, *, key: str | None, edited: str | None
) -> PreparedRecord:
    """Prepare the record of a dead letter as preparation would.

    Args:
        letter: The dead letter, whose source and line the record keeps.
        kept: The record of the dead letter as it is stored.
        key: In place of the dead letter's.
        edited: The payload in place of what is kept.

    Raises:
        RetryRefusedError: Something is missing, or what was given cannot be stored.
    """
    _check_needs(letter, kept, has_key=key is not None, is_edited=edited is not None)
    key = (letter.key or "") if key is None else _checked_key(letter, key)
    payload = plain_text(kept) if edited is None else edited
    try:
        content = canonical(parse_object(payload))
    except RejectionError as rejection:
        raise RetryRefusedError(f"dead letter {letter.id}: {rejection}") from None
    record = PreparedRecord(key, letter.line, payload, content_hash(payload, content))
    if (size := encoded_size(record)) > MAX_RECORD_BYTES:
        raise RetryRefusedError(
            f"dead letter {letter.id}: the record has {size} bytes, at most {MAX_RECORD_BYTES}"
        )
    return record


def _check_needs(letter: StoredDeadLetter, kept: str, *, has_key: bool, is_edited: bool) -> None:
    needs: dict[str, str] = {}
    if not is_edited and (problem := _problem(letter, kept)):
        needs["--edit"] = problem
    is_own = letter.target != RECORDS_TARGET
    if is_own and has_key:
        raise RetryRefusedError(
            f"dead letter {letter.id} takes no --key: the key of target {letter.target} is in its"
            " record, so correct that with --edit"
        )
    if not has_key and letter.key is None and not is_own:
        needs["--key"] = "it has no key"
    if needs:
        raise RetryRefusedError(
            f"dead letter {letter.id} needs {' and '.join(needs)}: {', and '.join(needs.values())}"
        )


def _problem(letter: StoredDeadLetter, kept: str) -> str | None:
    """Return why what is kept of a record cannot be submitted; None if it can."""
    if letter.truncated:
        return "only the beginning of its record is left"
    if letter.reason in NEVER_AN_OBJECT:
        return f"its record is no JSON object ({letter.reason})"
    try:
        canonical(parse_object(kept))
    except RejectionError as rejection:
        return f"its record cannot be stored as it is ({rejection.code})"
    return None


def _checked_key(letter: StoredDeadLetter, key: str) -> str:
    # The key that a comparison has prefixed may be longer.
    if key != letter.key:
        try:
            check_key(key)
        except RejectionError as rejection:
            raise RetryRefusedError(f"dead letter {letter.id}: {rejection.detail}") from None
    return key
