"""Submissions travel in as few messages as their size allows, and none is lost or overtaken."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio import workflow

from batching_demo.contracts.limits import MAX_BATCH_BYTES
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.requester.grouping import grouped as grouped_in_workflow
from batching_demo.requester.submissions import group

QUARTER = MAX_BATCH_BYTES // 4

sizes = st.sampled_from([1, QUARTER - 1, QUARTER, QUARTER + 1, MAX_BATCH_BYTES, 5 * QUARTER])
sent = st.lists(st.tuples(st.integers(0, 2), sizes), max_size=10)

Message = tuple[int, list[int], list[int]]
"""The shard of a message, and the numbers and sizes of the submissions in it."""


def grouped(submissions: list[tuple[int, int]]) -> list[Message]:
    """Group submissions of these shards and sizes; check that their bytes travel with them."""
    made = [
        Submission(
            SubmissionHeader(str(n), "main-1", 1, size, shard=shard), bytes([n % 256]) * size
        )
        for n, (shard, size) in enumerate(submissions)
    ]
    messages: list[Message] = []
    for message in group(made):
        numbers = [int(one.header.submission_id) for one in message.submissions]
        assert message.submissions == [made[number] for number in numbers]
        messages.append((message.shard, numbers, [one.size for one in message.submissions]))
    return messages


@given(sent)
def test_each_goes_to_its_shard_once_and_in_order(submissions: list[tuple[int, int]]) -> None:
    messages = grouped(submissions)
    for shard in range(3):
        arrived = [n for to, numbers, _ in messages if to == shard for n in numbers]
        assert arrived == [n for n, (to, _) in enumerate(submissions) if to == shard]


@given(sent)
def test_only_one_that_is_larger_by_itself_exceeds_the_largest_message(
    submissions: list[tuple[int, int]],
) -> None:
    for _, numbers, found in grouped(submissions):
        assert sum(found) <= MAX_BATCH_BYTES or len(numbers) == 1


@given(sent)
def test_the_next_message_begins_with_what_did_not_fit(submissions: list[tuple[int, int]]) -> None:
    messages = grouped(submissions)
    for shard in range(3):
        of_shard = [found for to, _, found in messages if to == shard]
        for earlier, later in pairwise(of_shard):
            assert sum(earlier) + later[0] > MAX_BATCH_BYTES


def test_nothing_is_no_message() -> None:
    assert grouped([]) == []


def test_headers_of_many_small_submissions_count() -> None:
    messages = grouped([(0, 1)] * 10_000)
    assert len(messages) > 2


@pytest.mark.parametrize("is_patched", [True, False])
def test_a_workflow_that_began_before_keeps_its_messages(
    monkeypatch: pytest.MonkeyPatch, is_patched: bool
) -> None:
    """What a workflow asks while it replays an old history is whether it has the change."""
    monkeypatch.setattr(workflow, "patched", lambda _: is_patched)
    header = SubmissionHeader("id", "main-1", 1, 1, "\U0001f600" * 100, "first")
    messages = grouped_in_workflow([Submission(header, b"x")] * 1_000)
    assert [len(message.submissions) for message in messages] == (
        [390, 390, 220] if is_patched else [1_000]
    )


def test_labels_in_ascii_are_grouped_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "patched", pytest.fail)
    header = SubmissionHeader("id", "main-1", 1, 1, "orders.csv", "first")
    (message,) = grouped_in_workflow([Submission(header, b"x")] * 1_000)
    assert len(message.submissions) == 1_000
