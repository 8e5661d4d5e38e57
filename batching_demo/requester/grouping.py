"""Group submissions for the same shard into as few signals as their size allows."""

from collections.abc import Sequence
from dataclasses import dataclass

from batching_demo.contracts.limits import MAX_BATCH_BYTES
from batching_demo.contracts.messages import SubmissionHeader


@dataclass(frozen=True)
class Submission:
    """A submission's header and the shard it goes to; its records travel beside it as bytes."""

    shard: int
    header: SubmissionHeader
    version: int = 1


@dataclass(frozen=True)
class Parcel:
    """Submissions that travel in one message: their headers, and their records joined."""

    shard: int
    headers: list[SubmissionHeader]
    records: bytes


Prepared = Sequence[tuple[Submission, bytes]]


def parcels(submissions: Prepared) -> list[Parcel]:
    """Join submissions in their order while they stay under the largest message."""
    grouped: list[Parcel] = []
    last_of_shard: dict[int, int] = {}
    for submission, records in submissions:
        at = last_of_shard.get(submission.shard)
        if at is not None and len(grouped[at].records) + len(records) <= MAX_BATCH_BYTES:
            last = grouped[at]
            grouped[at] = Parcel(
                last.shard, [*last.headers, submission.header], last.records + records
            )
            continue
        last_of_shard[submission.shard] = len(grouped)
        grouped.append(Parcel(submission.shard, [submission.header], records))
    return grouped
