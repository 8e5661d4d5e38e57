"""Sizes as they were counted before headers counted the bytes that travel, and their target.

Sizes decide what a workflow does. So a run that began before one of these changes must go on to
count in that way: see the calls of `workflow.patched`. Delete this file once no such run is left.
"""

from batching_demo.contracts.messages import Submission

BYTES_THAT_TRAVEL = "headers-count-the-bytes-that-travel"
"""Id of the change, for `workflow.patched`."""
HEADERS_HAVE_TARGETS = "headers-count-their-target"
"""Id of the later change."""
_HEADER_BYTES = 117
_TARGET_BYTES = len(',"target":"records"')


class SubmissionBefore(Submission):
    """A submission whose header counts the characters of its texts."""

    @property
    def size(self) -> int:
        """Bytes of its records, and characters of its header."""
        header = self.header
        texts = len(header.submission_id) + len(header.requester)
        texts += len(header.source) + len(header.run_label)
        return len(self.records) + texts + _HEADER_BYTES


class SubmissionBeforeTargets(Submission):
    """A submission whose header does not count the built-in target."""

    @property
    def size(self) -> int:
        """Bytes that it takes, without the target."""
        return super().size - _TARGET_BYTES


def counted_before_targets(submission: Submission) -> Submission:
    """Return a submission that counts as before the later change."""
    return SubmissionBeforeTargets(submission.header, submission.records, submission.received_at)


def counted_before(submission: Submission) -> Submission:
    """Return a submission that counts as before both changes."""
    return SubmissionBefore(submission.header, submission.records, submission.received_at)
