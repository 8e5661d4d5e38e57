"""Sizes as they were counted before headers counted the bytes that travel.

Sizes decide what a workflow does. So a run that began before this change must go on to count in
this way: see the calls of `workflow.patched`. Delete this file once no such run is left.
"""

from batching_demo.contracts.messages import Submission

BYTES_THAT_TRAVEL = "headers-count-the-bytes-that-travel"
"""Id of the change, for `workflow.patched`."""
_HEADER_BYTES = 117


class SubmissionBefore(Submission):
    """A submission whose header counts the characters of its texts."""

    @property
    def size(self) -> int:
        """Bytes of its records, and characters of its header."""
        header = self.header
        texts = len(header.submission_id) + len(header.requester)
        texts += len(header.source) + len(header.run_label)
        return len(self.records) + texts + _HEADER_BYTES


def counted_before(submission: Submission) -> Submission:
    """Return a submission that counts as before the change."""
    return SubmissionBefore(submission.header, submission.records, submission.received_at)
