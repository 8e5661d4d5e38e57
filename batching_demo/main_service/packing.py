"""Carry submissions out of an activity as bytes: a line of JSON headers, then their records."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from batching_demo.contracts.encoding import split
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.requester.grouping import Submission


def pack(submissions: Sequence[Submission], records: bytes) -> bytes:
    """Join headers and records."""
    headers = [asdict(submission) for submission in submissions]
    return json.dumps(headers, separators=(",", ":")).encode() + b"\n" + records


def unpack(packed: bytes) -> list[tuple[Submission, bytes]]:
    """Give each submission with its encoded records, which are not looked into."""
    line, _, records = packed.partition(b"\n")
    submissions = [
        Submission(**{**fields, "header": SubmissionHeader(**fields["header"])})
        for fields in json.loads(line)
    ]
    return list(
        zip(submissions, split([each.header for each in submissions], records), strict=True)
    )
