"""Make prepared records, submissions and batches."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from random import Random
from uuid import UUID, uuid4

from batching_demo.contracts.encoding import PreparedRecord, encode_records
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.names import WritePath
from batching_demo.database.writing.rows import BatchInfo


def record(key: str, payload: object = None, *, line: int = 1) -> PreparedRecord:
    """Make a prepared record; its payload is its key unless one is given."""
    document = json.dumps({"key": key} if payload is None else payload)
    return PreparedRecord(key, line, document, hashlib.sha256(document.encode()).digest())


def noise(size: int, seed: object = 0) -> str:
    """Make text that takes this many bytes even deflated."""
    return b64encode(Random(repr(seed)).randbytes(size)).decode()


def submission(
    submission_id: str,
    records: Sequence[PreparedRecord],
    requester: str = "nobody",
    source: str = "test",
    run_label: str = "first",
) -> Submission:
    """Make a submission of records."""
    encoded = encode_records(records)
    header = SubmissionHeader(
        submission_id, requester, len(records), len(encoded), source, run_label
    )
    return Submission(header, encoded)


def batch_info(batch_id: UUID | None = None, shard: int = 0) -> BatchInfo:
    """Make what the rows of a batch have in common."""
    return BatchInfo(batch_id or uuid4(), WritePath.BATCHED, shard)
