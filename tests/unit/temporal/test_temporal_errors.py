"""The SDK's long messages about failed connections, shortened to their cause."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.settings import Settings
from batching_demo.temporal.failures import explain, last_cause
from batching_demo.temporal.target import EMBEDDED, TemporalTarget, choose_temporal

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


def target(**variables: str) -> TemporalTarget:
    return choose_temporal(Settings(Path("state")), {"TEMPORAL_ADDRESS": "a:1", **variables})


# As temporalio 1.35 writes them.
IN_PLAIN_TEXT = "ConnectError(Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType)"
IN_TLS = 'call error after connection: Status { code: Unknown, message: "transport error", source'
UNTRUSTED = "ConnectError(Custom { kind: InvalidData, error: InvalidCertificate(%s) }))"
UNUSABLE = "Server connection error: tonic::transport::Error(Transport, %s)"
ALERT = 'Custom { kind: InvalidData, error: "received fatal alert: %s" }'
OTHER_NAME = r'NotValidForNameContext { expected: DnsName("a"), presented: ["DnsName(\"b.c\")"] }'
IN_USE = {"TEMPORAL_TLS": "true"}
CLIENT = {"TEMPORAL_TLS_CLIENT_CERT_DATA": "x", "TEMPORAL_TLS_CLIENT_KEY_DATA": "x"}
NO_ENTRY = 'error after connection: Status { code: Unauthenticated, message: "who are you?"'


@pytest.mark.parametrize(
    ("message", "variables", "words"),
    [
        (REFUSED, {}, ["does not answer at a:1 (TEMPORAL_ADDRESS)", "Connection refused"]),
        (IN_PLAIN_TEXT, {"TEMPORAL_TLS": "true"}, ["does not use TLS", "TEMPORAL_TLS=false"]),
        (IN_PLAIN_TEXT, {"TEMPORAL_API_KEY": "x"}, ["which TEMPORAL_API_KEY asks for"]),
        (IN_TLS, {}, ["does not speak Temporal's protocol", "TEMPORAL_TLS=true"]),
        (UNTRUSTED % "UnknownIssuer", IN_USE, ["this machine does not trust", "CA_CERT_PATH"]),
        (
            UNTRUSTED % "Expired",
            IN_USE,
            ["is not valid (Expired): the server needs another one, or"],
        ),
        (
            UNTRUSTED % OTHER_NAME,
            IN_USE,
            ["at a:1 (TEMPORAL_ADDRESS) is for b.c: set TEMPORAL_TLS_"],
        ),
        (
            UNUSABLE % "InconsistentKeys(KeyMismatch)",
            CLIENT,
            ["used (InconsistentKeys(KeyMismatch))"],
        ),
        (UNUSABLE % "PrivateKeyParseError", CLIENT, ["key of TEMPORAL_TLS_CLIENT_KEY_DATA"]),
        (
            ALERT % "CertificateRequired",
            IN_USE,
            ["wants a client certificate (CertificateRequired)"],
        ),
        (
            ALERT % "UnknownCA",
            CLIENT,
            ["refuses the client certificate of TEMPORAL_TLS_CLIENT_CERT"],
        ),
        (NO_ENTRY, {}, ["refuses the login (who are you?): set TEMPORAL_API_KEY"]),
        (NO_ENTRY, CLIENT, ["set TEMPORAL_API_KEY, or the client certificate in TEMPORAL_TLS_"]),
    ],
)
def test_the_advice_is_true(message: str, variables: dict[str, str], words: list[str]) -> None:
    line = explain(message, target(**variables))
    assert [word for word in words if word not in line] == []
    assert len(line.splitlines()) == 1


def test_the_advice_follows_what_named_the_server() -> None:
    named = choose_temporal(Settings(Path("state")), {})
    assert "start one with `batching-demo dev up`" in explain(REFUSED, named)
    embedded = replace(named, address_from=EMBEDDED)
    assert "start it again with `batching-demo dev up`" in explain(REFUSED, embedded)
    file = replace(named, address_from="profile x of /temporal.toml")
    assert "(profile x of /temporal.toml)" in explain(REFUSED, file)
    assert "TEMPORAL_PROFILE" in explain(REFUSED, file)
