"""Read messages of our own requesters: each is packed submissions."""

import json
from collections.abc import Sequence
from dataclasses import replace

from batching_demo.batcher_service.batcher.signals import read_submit
from batching_demo.batcher_service.queues.source import Message
from batching_demo.contracts.encoding import (
    EncodingError,
    PreparedRecord,
    decode_records,
    encode_records,
    unframe,
)
from batching_demo.contracts.messages import Submission


def submissions_of(message: Message, received_at: float) -> Sequence[Submission]:
    """Return the submissions of a message. What is malformed becomes submissions that are refused.

    Args:
        message: As it was delivered.
        received_at: When it came, in seconds since the epoch.
    """
    header, records = unframe(message.body)
    try:
        headers: object = json.loads(header)
    except ValueError:
        headers = header.decode(errors="backslashreplace")
    read = read_submit([headers, records], received_at, lambda: message.identity)
    return [_checked(submission, message) for submission in read]


def _checked(submission: Submission, message: Message) -> Submission:
    if submission.header.malformed:
        return replace(submission, header=replace(submission.header, source=message.queue))
    return _rejected(submission, message.problem) if message.problem else submission


def _rejected(submission: Submission, problem: str) -> Submission:
    """Return a submission with the same records, each rejected for the problem of its message."""
    try:
        columns = decode_records(submission.records)
    except EncodingError:
        return submission
    earlier = zip(columns.keys, columns.lines, columns.payloads, columns.rejections, strict=True)
    records = encode_records(
        [
            PreparedRecord(key, line, payload, rejection=rejection or problem)
            for key, line, payload, rejection in earlier
        ]
    )
    return replace(
        submission, header=replace(submission.header, length=len(records)), records=records
    )
