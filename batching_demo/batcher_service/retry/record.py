"""Make a record of a dead letter again, or say what it lacks."""

from batching_demo.contracts.encoding import PreparedRecord, encoded_size
from batching_demo.contracts.limits import MAX_KEY_BYTES, MAX_RECORD_BYTES
from batching_demo.database.dead_letter_queries import Letter
from batching_demo.database.dead_letters import plain_text
from batching_demo.records.json_text import canonical, content_hash, parse_object
from batching_demo.records.rejection import RejectionError

NEVER_AN_OBJECT = ("invalid_json", "field_count")
"""Reasons of records that were no JSON; escaped as they are kept, some could be taken for it."""


class RetryRefusedError(Exception):
    """A letter cannot be submitted like this; the message names it and what it needs."""


def record_again(
    letter: Letter, kept: str, *, key: str | None, edited: str | None
) -> PreparedRecord:
    """Prepare the record of a letter as preparation would.

    Args:
        letter: whose source and line the record keeps.
        kept: the letter's record as it is stored.
        key: in place of the letter's.
        edited: the payload in place of what is kept.

    Raises:
        RetryRefusedError: something is missing, or what was given cannot be stored.
    """
    _check_needs(letter, kept, has_key=key is not None, is_edited=edited is not None)
    key = _checked_key(letter, (letter.key or "") if key is None else key)
    payload = plain_text(kept) if edited is None else edited
    try:
        content = canonical(parse_object(payload))
    except RejectionError as rejection:
        raise RetryRefusedError(f"letter {letter.id}: {rejection}") from None
    record = PreparedRecord(key, letter.line, payload, content_hash(payload, content))
    if (size := encoded_size(record)) > MAX_RECORD_BYTES:
        raise RetryRefusedError(
            f"letter {letter.id}: the record has {size} bytes, at most {MAX_RECORD_BYTES}"
        )
    return record


def _check_needs(letter: Letter, kept: str, *, has_key: bool, is_edited: bool) -> None:
    needs: dict[str, str] = {}
    if not is_edited and (problem := _problem(letter, kept)):
        needs["--edit"] = problem
    if not has_key and letter.key is None:
        needs["--key"] = "it has no key"
    if needs:
        raise RetryRefusedError(
            f"letter {letter.id} needs {' and '.join(needs)}: {', and '.join(needs.values())}"
        )


def _problem(letter: Letter, kept: str) -> str | None:
    """Say why what is kept of a record cannot be submitted."""
    if letter.truncated:
        return "only the beginning of its record is left"
    if letter.reason in NEVER_AN_OBJECT:
        return f"its record is no JSON object ({letter.reason})"
    try:
        canonical(parse_object(kept))
    except RejectionError as rejection:
        return f"its record cannot be stored as it is ({rejection.code})"
    return None


def _checked_key(letter: Letter, key: str) -> str:
    if not key or key.isspace():
        raise RetryRefusedError(f"letter {letter.id}: the key is blank")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise RetryRefusedError(f"letter {letter.id}: the key is not UTF-8") from None
    if "\0" in key:
        raise RetryRefusedError(f"letter {letter.id}: the key has a NUL character")
    # The key that a comparison has prefixed may be longer.
    if key != letter.key and size > MAX_KEY_BYTES:
        raise RetryRefusedError(
            f"letter {letter.id}: the key has {size} bytes, at most {MAX_KEY_BYTES}"
        )
    return key
