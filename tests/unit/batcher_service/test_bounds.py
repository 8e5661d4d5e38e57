"""Whatever labels submissions have, nothing that a batcher or requester sends is too large."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import count, islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from temporalio.converter import PayloadConverter

from batching_demo.batcher_service.batcher.carried import State, pack_state, unpack_state
from batching_demo.batcher_service.batcher.signals import read_submit
from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.encoding import PreparedRecord, join, pack
from batching_demo.contracts.limits import KIB
from batching_demo.contracts.messages import Problem, Submission, SubmissionHeader
from batching_demo.contracts.operations import BatcherInput, BatcherSettings
from batching_demo.contracts.sizes_before import counted_before_targets
from batching_demo.core.buffer import FlushReason
from batching_demo.core.entrance import Entrance
from batching_demo.database.writing.row_writer import WriteResult
from batching_demo.requester.submissions import group
from tests.support.records import record, submission

LARGEST_COMMAND_BYTES = 2048 * KIB
"""What the server takes: all arguments of one command, with its memo."""
SLACK_BYTES = 8 * KIB
NOW = 1764177000.1234567
INPUT = BatcherInput(999, BatcherSettings(max_records=10_000, linger_seconds=12345.678))

texts = st.sampled_from(
    ["a", "é", "日本語のファイル", "\U0001f600", '"\\', "\x7f\x1b", "m\U0001f600 "]
)
labels = st.builds(lambda text, length: (text * length)[:length], texts, st.integers(0, 1_050))
kinds = st.tuples(
    labels, labels, labels, labels, st.sampled_from([1, 30, 400, 9_000, 120_000]), st.booleans()
)
"""Submission id, requester, source, run label, bytes of the records, whether nobody waits."""
Kind = tuple[str, str, str, str, int, bool]
SMALLEST: Kind = ("", "r", "", "", 1, False)
MALFORMED: Kind = ("", "", "", "", 1, True)


def size_of(*arguments: object) -> int:
    """Return the bytes of the arguments of a command, as the server counts them."""
    return sum(payload.ByteSize() for payload in PayloadConverter.default.to_payloads(arguments))


def made(kinds: Sequence[Kind]) -> Iterator[Submission]:
    """Yield submissions of all kinds in turn, for ever, each with an id of its own."""
    for number in count():
        name, requester, source, run_label, size, is_anonymous = kinds[number % len(kinds)]
        header = SubmissionHeader(
            f"{name}{number}",
            "" if is_anonymous else f"{requester}{number}",
            records=max(1, size // 30),
            length=size,
            source=source,
            run_label=run_label,
            shard=999,
        )
        yield Submission(header, bytes(size), NOW + number / 7)


@given(st.lists(kinds, min_size=1, max_size=4))
@settings(max_examples=3)
@example([SMALLEST])
@example([MALFORMED, SMALLEST])
@example([("\U0001f600" * 1_050,) * 4 + (1, False)])
@example([("a" * 900,) * 4 + (30, False)])
def test_what_a_batcher_sends_and_carries_fits(kinds: Sequence[Kind]) -> None:
    state = unpack_state(INPUT, b"")
    flusher, entrance = state.flusher, Entrance(state.flusher.buffer, state.admission)
    source = made(kinds)

    def fill(turned_away: int) -> None:
        while turned_away:
            taken = entrance.admit(next(source), NOW, is_closed=False, retry_after=0.0)
            turned_away -= not taken

    for _ in range(INPUT.settings.max_in_flight):
        fill(10)
        batch = flusher.take("01234567-89ab-cdef-0123-456789abcdef", FlushReason.BYTES, NOW)
        assert size_of(batch.header, batch.records) <= 512 * KIB + SLACK_BYTES
    fill(1_050)
    while answers := entrance.busy_answers():
        assert size_of(answers, 999) <= 512 * KIB + SLACK_BYTES
    assert_carried_fits(state)


def assert_carried_fits(state: State) -> None:
    flusher = state.flusher
    waiting = len(flusher.buffer) + sum(len(batch.submissions) for batch in flusher.in_flight)
    packed = pack_state(state, "forced")
    memo = size_of(asdict(INPUT.settings))
    assert size_of(INPUT, packed) + memo <= LARGEST_COMMAND_BYTES - SLACK_BYTES
    assert len(unpack_state(INPUT, packed).flusher.buffer) == waiting


def test_a_submission_without_a_requester_takes_no_more_room_than_there_is() -> None:
    state = unpack_state(INPUT, b"")
    entrance = Entrance(state.flusher.buffer, state.admission)
    small, large = made([("a", "", "", "", 9_000, True)]), made([("b", "", "", "", 500_000, True)])
    for one in (*islice(small, 60), next(large)):
        entrance.admit(one, NOW, is_closed=False, retry_after=0.0)
    assert len(state.flusher.buffer) == 60


@given(st.lists(kinds, min_size=1, max_size=4))
@settings(max_examples=8)
def test_what_a_requester_sends_fits(kinds: Sequence[Kind]) -> None:
    submissions = list(islice(made(kinds), 300))
    for message in group(submissions):
        assert size_of(*join(message.submissions)) <= 512 * KIB + SLACK_BYTES


@given(labels, labels, labels, labels, st.integers(0, 10**9))
def test_a_header_counts_what_it_takes(
    name: str, requester: str, source: str, run_label: str, number: int
) -> None:
    header = SubmissionHeader(name, requester, number, number, source, run_label, number, "x")
    assert header.size + len("json/plain") + len("encoding") + 20 >= size_of(header)
    assert header.size <= size_of(header)


def test_a_run_that_began_before_there_were_targets_counts_as_it_did() -> None:
    one = Submission(SubmissionHeader("s", "r", 1, 2), b"ab")
    assert counted_before_targets(one).size == 117 + 2
    assert one.size == 117 + len(',"target":"records"') + 2


def test_the_slice_of_the_longest_names_fits_into_one_result() -> None:
    label, name = "\U0001f600" * 100, "\U0001f600" * 63
    of_shards = [
        submission(
            f"main-0123456789abcdef-1000000/{n}", [record("k")], source=name, run_label=label
        )
        for n in range(1_200)
    ]
    assert len(pack(of_shards)) + 512 * KIB <= LARGEST_COMMAND_BYTES - SLACK_BYTES


@pytest.mark.parametrize("detail", ["short", "\U0001f600" * 90], ids=["short", "long"])
def test_the_verdicts_of_thousands_of_bad_records_fit_into_one_signal(detail: str) -> None:
    bad = [PreparedRecord(f"k{n}", n, "{}", b"", "key_missing: x") for n in range(10_000)]
    gathered = gather([submission("s", bad)])
    problems = {row: Problem(row, "key_missing", detail) for row in range(10_000)}
    result = WriteResult(["r"] * 10_000, problems, 0)
    (answer,) = gathered.verdicts(result, "batch")
    assert answer.codes == "r" * 10_000
    assert answer.problems[0].detail == detail
    assert len(answer.problems) > 5_000
    assert size_of([answer]) <= LARGEST_COMMAND_BYTES - SLACK_BYTES


def test_a_signal_of_labels_in_any_script_is_read_as_it_was_sent() -> None:
    one = submission("\U0001f600", [record("k")], source="日本", run_label="\U0001f600" * 100)
    headers, records = join([one])
    (read,) = read_submit([[asdict(header) for header in headers], records], NOW, lambda: "id")
    assert (read.header, read.size) == (one.header, one.size)
