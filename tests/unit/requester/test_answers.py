"""What a requester has been told: any answer is taken, the first one counts, nonsense does not."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batching_demo.contracts.messages import (
    Busy,
    Problem,
    Submission,
    SubmissionHeader,
    Verdicts,
)
from batching_demo.requester.answers import Answers

texts = st.text(max_size=3) | st.sampled_from(["s", "w", "wd"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
near_answers = st.fixed_dictionaries(
    {},
    optional={
        "submission_id": scalars,
        "codes": scalars,
        "problems": st.lists(st.dictionaries(texts, scalars, max_size=2), max_size=2) | scalars,
        "returned": st.lists(scalars, max_size=2) | scalars,
        "returned_from": scalars,
        "submission_ids": st.lists(scalars, max_size=2) | scalars,
        "retry_after_seconds": scalars,
    },
)
anything = st.lists(scalars | near_answers | st.lists(near_answers, max_size=2), max_size=2)


def sent(submission_id: str = "s", records: int = 2) -> Submission:
    return Submission(SubmissionHeader(submission_id, "main-1", records, 100), bytes(100))


def told(*answers: Verdicts) -> Answers:
    taken = Answers()
    assert taken.read_verdicts([list(answers)]) is None
    return taken


@given(anything)
@settings(max_examples=50)
@example([])
@example([[], []])
@example([[{"submission_id": "s"}]])
def test_no_answer_raises(arguments: list[object]) -> None:
    answers = Answers()
    for problem in (answers.read_verdicts(arguments), answers.read_busy(arguments, 0.0)):
        assert problem is None or problem


@pytest.mark.parametrize(
    "arguments", [[], ["s"], [[{"submission_id": "s"}]], [[{"codes": "ww"}]], [[], []], [None]]
)
def test_what_is_no_answer_is_described_and_changes_nothing(arguments: list[object]) -> None:
    answers = Answers()
    assert answers.read_verdicts(arguments)
    assert answers.answer_to(sent()) is None


def test_values_of_an_answer_are_not_repeated() -> None:
    problem = Answers().read_verdicts([[{"submission_id": 1, "codes": ["hunter2"]}]])
    assert problem
    assert "hunter2" not in problem


def test_the_first_answer_counts() -> None:
    answers = told(Verdicts("s", "ww"))
    assert answers.read_verdicts([[Verdicts("s", "dd"), Verdicts("t", "d")]]) is None
    assert answers.answer_to(sent("s")) == Verdicts("s", "ww")
    assert answers.answer_to(sent("t", 1)) == Verdicts("t", "d")


@pytest.mark.parametrize("codes", ["", "w", "www", "wx", "WW"])
def test_an_answer_that_does_not_cover_every_record_is_none(codes: str) -> None:
    assert told(Verdicts("s", codes)).answer_to(sent("s", 2)) is None


@given(st.permutations(["a", "b", "c"]), st.sets(st.sampled_from("abc")))
def test_answers_come_in_the_order_of_the_submissions(order: list[str], answered: set[str]) -> None:
    answers = told(*(Verdicts(name, "w") for name in order if name in answered))
    found = answers.to([sent(name, 1) for name in "abc"])
    assert [one.submission_id for one in found] == sorted(answered)


def test_a_submission_never_sent_is_due_at_once() -> None:
    answers = Answers()
    assert answers.due_at(sent()) == 0.0
    assert not answers.is_overdue(sent())


def test_one_that_is_on_its_way_is_not_due() -> None:
    answers = Answers()
    answers.sending([sent()])
    assert answers.due_at(sent()) == math.inf


def test_one_that_was_sent_is_due_when_its_answer_is_overdue() -> None:
    answers = Answers()
    answers.sending([sent()])
    answers.sent([sent()], 60.0)
    assert answers.due_at(sent()) == 60.0
    assert answers.is_overdue(sent())


def test_one_that_reached_nobody_is_due_again_and_not_overdue() -> None:
    answers = Answers()
    answers.sending([sent()])
    answers.not_sent([sent()], 5.0)
    assert answers.due_at(sent()) == 5.0
    assert not answers.is_overdue(sent())


@pytest.mark.parametrize("is_sent", [False, True])
def test_who_is_turned_away_comes_back_when_told_even_while_sending(is_sent: bool) -> None:
    answers = Answers()
    answers.sending([sent()])
    if is_sent:
        answers.sent([sent()], 60.0)
    assert answers.read_busy([Busy(["s", "unheard of"], 7.5)], 100.0) is None
    if not is_sent:
        answers.sent([sent()], 60.0)
    assert answers.due_at(sent()) == 107.5
    assert not answers.is_overdue(sent())


@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan, -1.0, 3_601.0, 1e300])
def test_a_time_that_no_timer_can_run_is_refused(seconds: float) -> None:
    answers = Answers()
    answers.sending([sent()])
    answers.sent([sent()], 60.0)
    assert answers.read_busy([Busy(["s"], seconds)], 100.0)
    assert answers.due_at(sent()) == 60.0
    assert answers.is_overdue(sent())


def test_an_answer_that_does_not_fit_is_replaced_once_the_submission_is_sent_again() -> None:
    answers = told(Verdicts("s", "w"), Verdicts("s", "ww"))
    assert answers.answer_to(sent()) is None
    answers.sending([sent()])
    answers.take([Verdicts("s", "ww")])
    assert answers.answer_to(sent()) == Verdicts("s", "ww")


def part(start: int, *returned: str, batch: str = "b") -> Verdicts:
    problems = [Problem(1, "conflict")] if start == 0 else []
    return Verdicts("s", "wcw", batch, problems, list(returned), start)


PARTS = [part(0, "{}"), part(1, ""), part(2, '{"id": 3}')]
WHOLE = Verdicts("s", "wcw", "b", [Problem(1, "conflict")], ["{}", "", '{"id": 3}'])


@given(st.permutations(PARTS), st.booleans())
def test_an_answer_in_parts_counts_once_all_are_here(parts: list[Verdicts], twice: bool) -> None:
    answers = Answers()
    for one in parts[:-1]:
        answers.take([one, one] if twice else [one])
    assert answers.answer_to(sent("s", 3)) is None
    answers.take([parts[-1]])
    assert answers.answer_to(sent("s", 3)) == WHOLE


def test_parts_of_two_batches_are_not_mixed() -> None:
    answers = told(PARTS[0], PARTS[1], part(2, "other", batch="c"))
    answers.sending([sent("s", 3)])
    assert answers.answer_to(sent("s", 3)) is None
    answers.take([part(0, "x", "", batch="c")])
    found = answers.answer_to(sent("s", 3))
    assert found
    assert (found.batch_id, found.returned) == ("c", ["x", "", "other"])


@pytest.mark.parametrize("start", [-1, 1, 5])
def test_parts_that_do_not_cover_every_record_are_no_answer(start: int) -> None:
    answers = told(part(0, "x"), part(start, "y", "z", "more"))
    assert answers.answer_to(sent("s", 3)) is None
