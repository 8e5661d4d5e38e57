"""The SDK's long messages about failed connections, shortened to their cause."""

from hypothesis import given
from hypothesis import strategies as st

from batching_demo.temporal_failures import last_cause

# As temporalio 1.35 writes it for a port that nobody listens on.
REFUSED = (
    "Failed client connect: Server connection error: tonic::transport::Error(Transport,"
    ' ConnectError(ConnectError("tcp connect error", 127.0.0.1:1, Os { code: 111, kind:'
    ' ConnectionRefused, message: "Connection refused" })))'
)


def test_the_last_cause_is_the_one_that_helps() -> None:
    assert last_cause(REFUSED) == "Connection refused"


def test_without_a_cause_it_is_the_first_line() -> None:
    assert last_cause("\n  invalid target \n  details\n") == "invalid target"


def test_an_empty_message_says_so() -> None:
    assert last_cause(" \n") == "no reason given"


@given(st.text(), st.lists(st.text()))
def test_it_is_always_one_line(message: str, causes: list[str]) -> None:
    for cause in causes:
        message += f' message: "{cause}"'
    shortened = last_cause(message)
    assert shortened
    assert len(shortened.splitlines()) == 1
    assert shortened == "no reason given" or shortened in message
