"""Group the submissions of a workflow into messages, as its history has them."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from batching_demo.contracts.messages import Submission
    from batching_demo.contracts.sizes_before import (
        BYTES_THAT_TRAVEL,
        HEADERS_HAVE_TARGETS,
        counted_before,
        counted_before_targets,
    )
    from batching_demo.requester.submissions import Message, group


def grouped(submissions: Sequence[Submission]) -> list[Message]:
    """Return submissions as messages, in their order."""
    messages = group(submissions)
    later = group([counted_before_targets(one) for one in submissions])
    before = group([counted_before(one) for one in submissions])
    # Asked only where it matters: the answer is an event in the history of a workflow.
    if _ends(messages) == _ends(later) == _ends(before):
        return messages
    if _ends(messages) != _ends(later) and workflow.patched(HEADERS_HAVE_TARGETS):
        return messages
    if _ends(later) == _ends(before) or workflow.patched(BYTES_THAT_TRAVEL):
        return later
    return before


def _ends(messages: Sequence[Message]) -> list[tuple[int, int]]:
    """Return what tells groupings of the same submissions apart."""
    return [(message.shard, len(message.submissions)) for message in messages]
