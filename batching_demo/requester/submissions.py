"""Cut records into submissions, and group submissions into messages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from batching_demo.contracts.encoding import (
    LARGEST_PLAIN_BYTES,
    PreparedRecord,
    encode_plain,
    plain_records,
)
from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_SUBMISSION_BYTES
from batching_demo.contracts.messages import Submission, SubmissionHeader


def cut(
    records_by_shard: Mapping[int, Sequence[PreparedRecord]],
    template: SubmissionHeader,
    max_records: int,
) -> list[Submission]:
    """Return records as encoded submissions, which are as equal as number and size allow.

    Records of one shard keep their order. The same records are cut in the same way every time.

    Args:
        records_by_shard: The records that each shard gets.
        template: What all headers have in common. Each submission id is its id and a number.
        max_records: The most records of one submission.
    """
    submissions: list[Submission] = []
    for shard, records in records_by_shard.items():
        for count, encoded in _encoded_parts(records, ceil(len(records) / max_records)):
            header = replace(
                template,
                submission_id=f"{template.submission_id}/{len(submissions)}",
                records=count,
                length=len(encoded),
                shard=shard,
            )
            submissions.append(Submission(header, encoded))
    return submissions


def _encoded_parts(records: Sequence[PreparedRecord], parts: int) -> Iterator[tuple[int, bytes]]:
    """Yield the number of records and the bytes of each part, cutting too large ones again."""
    bounds = [len(records) * part // parts for part in range(parts + 1)]
    for start, end in pairwise(bounds):
        plain = plain_records(records[start:end])
        encoded = encode_plain(plain, end - start)
        # Records that are much alike deflate well, and may be too large before.
        fills = max(len(encoded) / MAX_SUBMISSION_BYTES, len(plain) / LARGEST_PLAIN_BYTES)
        if fills <= 1 or end - start == 1:
            yield end - start, encoded
        else:
            yield from _encoded_parts(records[start:end], min(end - start, ceil(fills)))


@dataclass(frozen=True)
class Message:
    """Submissions for one shard that travel together."""

    shard: int
    submissions: list[Submission]


def group(submissions: Sequence[Submission]) -> list[Message]:
    """Return submissions as messages, in their order. No message is larger than a batch may be.

    Headers count. In a message of many small submissions they are most of the bytes.
    """
    messages: list[Message] = []
    last_of_shard: dict[int, tuple[Message, int]] = {}
    for submission in submissions:
        shard, size = submission.header.shard, submission.size
        message, before = last_of_shard.get(shard, (None, 0))
        if message is None or before + size > MAX_BATCH_BYTES:
            message, before = Message(shard, []), 0
            messages.append(message)
        message.submissions.append(submission)
        last_of_shard[shard] = message, before + size
    return messages


def bounded(message: Message, most: int) -> list[Message]:
    """Return a message as several of at most so many records, or of one submission each."""
    messages: list[Message] = []
    records = 0
    for submission in message.submissions:
        records += submission.header.records
        if not messages or records > most:
            messages.append(Message(message.shard, []))
            records = submission.header.records
        messages[-1].submissions.append(submission)
    return messages
