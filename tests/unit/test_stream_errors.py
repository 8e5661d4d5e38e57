"""Which errors of a server of streams pass by themselves, and how they read."""

import ssl
from typing import Any, cast

import pytest
from redis._parsers.base import BaseParser
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as NotConnected

from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.stream_address import StreamAddress
from batching_demo.queue_servers.stream_errors import redis_errors

STREAM = StreamAddress.parse("redis://host/0/orders")


def raised(error: Exception, stream: StreamAddress = STREAM) -> QueueError:
    with pytest.raises(QueueError) as worded, redis_errors(stream):
        raise error
    assert "\n" not in str(worded.value)
    return worded.value


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        ("MISCONF Errors writing to the AOF file: No space left on device", True),
        ("READONLY You can't write against a read only replica.", True),
        ("UNBLOCKED force unblock from blocking operation, instance state changed", True),
        ("LOADING Valkey is loading the dataset in memory", True),
        ("NOREPLICAS Not enough good replicas to write.", True),
        ("CLUSTERDOWN The cluster is down", True),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", False),
        ("NOPERM User reader has no permissions to run the 'xack' command", False),
        ("ERR unknown command 'XFOO'", False),
        ("EXECABORT Transaction discarded because of previous errors.", False),
    ],
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_only_what_stays_ends_a_consumer(answer: str, passes: bool, in_pipeline: bool) -> None:
    parse: Any = BaseParser.parse_error
    error = parse(answer)
    if in_pipeline:
        Pipeline.annotate_exception(cast(Any, None), error, 1, ["XADD", "orders", "hunter2"])
    worded = raised(error)
    assert isinstance(worded, QueueAwayError) == passes
    assert "hunter2" not in str(worded)
    assert not str(worded).endswith(("',)", '",)'))


def not_connected(cause: OSError) -> NotConnected:
    error = NotConnected("it did not work")
    error.__cause__ = cause
    return error


def test_a_file_of_tls_that_is_missing_is_no_outage() -> None:
    stream = StreamAddress.parse("rediss://host/0/orders?ssl_ca_certs=/missing")
    worded = raised(not_connected(FileNotFoundError(2, "No such file or directory")), stream)
    assert "an option after the ? names cannot be read (No such file" in str(worded)
    assert not isinstance(worded, QueueAwayError)


def test_a_connection_that_the_machine_forbids_is_an_outage() -> None:
    worded = raised(not_connected(PermissionError(1, "Operation not permitted")))
    assert isinstance(worded, QueueAwayError)
    assert "does not answer (Operation not permitted)" in str(worded)


def test_tls_that_fails_is_named() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)")
    error.reason = "WRONG_VERSION_NUMBER"
    assert "TLS fails (WRONG_VERSION_NUMBER): check that" in str(raised(not_connected(error)))
