"""What is said to those who mistype a command, or look for help."""

import pytest

from tests.support.commands import assert_one_line, run


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [(("demmo",), "demo"), (("dead-leters",), "dead-letters"), (("batcher", "statsu"), "status")],
)
def test_a_mistyped_command_gets_a_suggestion(mistyped: tuple[str, ...], meant: str) -> None:
    assert_one_line(run(*mistyped), 2, f"No such command '{mistyped[-1]}'", f"'{meant}'")


@pytest.mark.parametrize("command", [(), ("batcher",), ("main", "start")], ids=" ".join)
def test_h_is_short_for_help(command: tuple[str, ...]) -> None:
    short, long = run(*command, "-h"), run(*command, "--help")
    assert (short.exit_code, short.stdout) == (0, long.stdout)


def test_the_version() -> None:
    assert run("--version").stdout.startswith("batching-demo, version ")


def test_the_key_that_the_flights_have_is_named_in_the_help() -> None:
    assert "time_hour carrier flight" in " ".join(run("main", "start", "--help").stdout.split())
