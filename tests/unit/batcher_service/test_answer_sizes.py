"""What a target returns fits into messages and results, whatever its size."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.converter import PayloadConverter

from batching_demo.batcher_service.answer_sizes import in_one_result, messages_of
from batching_demo.contracts.batches import RETURNED_TOO_LARGE
from batching_demo.contracts.limits import KIB, MAX_RETURNED_BYTES, MAX_RETURNED_RECORD_BYTES
from batching_demo.contracts.messages import Problem, Submission, SubmissionHeader, Verdicts
from batching_demo.requester.answers import Answers

values = st.tuples(
    st.sampled_from(["x", '"', "é", "\U0001f600"]), st.sampled_from([0, 1, 5_000, 20_000])
)
answers = st.lists(st.lists(values, min_size=1, max_size=12), max_size=4)
"""Of each answer the returned texts: a character, and how often it comes."""


def answered(returned: list[list[str]]) -> list[Verdicts]:
    return [
        Verdicts(f"s{place}", "w" * len(texts), "batch", [Problem(0, "r")], texts)
        for place, texts in enumerate(returned)
    ]


def size_of(message: list[Verdicts]) -> int:
    return sum(one.ByteSize() for one in PayloadConverter.default.to_payloads([message]))


@given(answers)
def test_messages_fit_and_a_requester_puts_their_parts_together(
    returned: list[list[tuple[str, int]]],
) -> None:
    given_ = answered([[text * size for text, size in texts] for texts in returned])
    messages = messages_of(given_)
    taken = Answers()
    for message in reversed(messages):
        assert size_of(message) <= MAX_RETURNED_BYTES + 16 * KIB
        taken.take(message)
    for answer in given_:
        header = SubmissionHeader(answer.submission_id, "main-1", len(answer.codes), 1)
        assert taken.answer_to(Submission(header, b"x")) == answer
    for earlier, later in pairwise(messages):
        assert size_of(earlier) + size_of(later) > MAX_RETURNED_BYTES


def test_answers_that_return_nothing_are_one_message() -> None:
    plain = [replace(answer, returned=[]) for answer in answered([["x"], ["y"]])]
    assert messages_of(plain) == [plain]
    assert in_one_result(plain) == plain


@pytest.mark.parametrize("cut", [lambda one: messages_of(one)[0], in_one_result])
def test_a_record_whose_columns_fit_no_message_is_told_so(cut: object) -> None:
    assert callable(cut)
    (found,) = cut(answered([["a", "x" * MAX_RETURNED_RECORD_BYTES, "c"]]))
    assert found.returned == ["a", "", "c"]
    problem = found.problems[-1]
    assert (problem.position, problem.reason) == (1, RETURNED_TOO_LARGE)
    assert f"{MAX_RETURNED_RECORD_BYTES + 3} bytes" in problem.detail


def test_one_result_has_what_fits() -> None:
    (found,) = in_one_result(answered([["x" * 1_000] * 10_000]))
    assert size_of([found]) <= 1_024 * KIB
    assert sum(map(bool, found.returned)) == MAX_RETURNED_BYTES // 1_003
