"""What `main start` prints at its end."""

import pytest

from batching_demo.cli.submitting.summary import print_summary, run_exit_code
from batching_demo.main_service.summary import Summary


def failed(number: int) -> Summary:
    failures = [f"main-{position}: reason" for position in range(number)]
    return Summary(read=number, pending=number, workflows=number, failures=failures)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("number", "more"), [(5, []), (15, ["Error: and 10 more of 15 failures"])])
def test_failures_that_are_not_named_are_counted(
    number: int, more: list[str], as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = failed(number)
    print_summary(summary, waited=True, as_json=as_json)
    shown = capsys.readouterr().err.splitlines()
    assert shown == [*(f"Error: {failure}" for failure in summary.failures[:5]), *more]
    assert run_exit_code(summary) == 1


def test_one_of_everything_is_singular(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(Summary(read=1, already_done=1, workflows=1), waited=True, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "1 record already done by an earlier run (--again loads the input once more)",
        "1 workflow, 0 new, 0.0 s",
        "1 record: 0 written, 0 duplicate, 0 conflict, 0 rejected, 1 already done",
    ]


def test_verdicts_of_conflict_rules_are_shown_only_where_any_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = Summary(read=3, written=1, updated=1, stale=1, workflows=1)
    print_summary(summary, waited=True, as_json=False)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "3 records: 1 written, 0 duplicate, 0 conflict, 0 rejected, 1 updated, 1 stale,"
        " 0 already done"
    )
    assert run_exit_code(summary) == 0
