"""Connect to the server of a stream, and word its errors in one line."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from batching_demo.contracts.errors import UserError
from batching_demo.queue_servers.errors import (
    QueueAwayError,
    QueueError,
    QueueFullError,
    QueueUnusableError,
)
from batching_demo.queue_servers.stream_address import (
    StreamAddress,
    StreamAddressError,
)

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""Longer than any read waits for messages."""
OLDEST_VERSION = (6, 2)
LONGEST_ANSWER = 100
"""Characters of an error of the server."""
AWAY = ("LOADING", "MASTERDOWN", "READONLY", "BUSY", "TRYAGAIN", "NOREPLICAS", "MISCONF")
"""Errors of a server that may do the same later."""
logger = logging.getLogger(__name__)


class RedisMissingError(UserError):
    """The package that speaks to the server is not installed."""


def load_client() -> None:
    """Import redis-py. It takes up to a second, which the first use of a client would wait for.

    Raises:
        RedisMissingError: The extra `redis` is not installed.
    """
    try:
        import redis.asyncio  # noqa: F401
    except ImportError:
        raise RedisMissingError(
            "queues of Redis need redis-py: install it with"
            " `pip install 'FOLDER_OF_THE_CLONE[redis]'`"
        ) from None


def open_client(address: StreamAddress) -> Any:
    """Return redis-py's client of the server of a stream. It connects when it is used.

    Raises:
        RedisMissingError: The extra `redis` is not installed.
        StreamAddressError: An option of the address is wrong.
    """
    load_client()
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        client: Any = Redis.from_url(
            address.server_url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            # Whoever calls tries again: a read that is repeated here would be given other messages.
            retry=Retry(NoBackoff(), 0),
        )
        # Options are checked only when a connection is made. This opens none.
        client.connection_pool.make_connection()
        return client
    except (TypeError, ValueError) as error:
        raise StreamAddressError(
            f"{address}: an option after the ? is wrong ({_unknown(error)})"
        ) from None


async def check_server(client: Any, address: StreamAddress) -> None:
    """Check that the server is one that streams can be consumed of.

    Raises:
        QueueAwayError: It does not answer.
        QueueUnusableError: It is too old, or it is part of a cluster, or a Sentinel, or it has no
            such database.
        QueueError: It refuses the login.
    """
    with redis_errors(address):
        answer: Any = await client.execute_command("HELLO")
    hello = _texts(answer)
    mode, version = hello.get("mode", ""), hello.get("version", "")
    if mode != "standalone":
        raise QueueUnusableError(
            f"{address}: this is a server of mode {mode}, and only standalone is supported: name a"
            " server that is neither a node of a cluster nor a Sentinel"
        )
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST_VERSION:
        raise QueueUnusableError(f"{address}: version {version} is too old, 6.2 or later is needed")


def _texts(answer: Any) -> dict[str, str]:
    """Return the names and values of an answer, which come as a map or one after the other."""
    items = (
        answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    )
    return {
        name.decode(): value.decode(errors="replace")
        for name, value in items
        if isinstance(value, bytes)
    }


async def execute(pipeline: Any) -> list[Any]:
    """Send the commands of a pipeline, and return their answers.

    redis-py's own errors of a pipeline repeat the arguments, and so what a message holds.
    """
    answers: list[Any] = await pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


@contextmanager
def redis_errors(address: StreamAddress) -> Iterator[None]:
    """Raise whatever the client raises as one line that names the stream.

    Raises:
        QueueAwayError: The server does not answer, or not now.
        QueueFullError: It has no memory left.
        QueueUnusableError: It is a node of a cluster, or has no such database.
        QueueError: It refuses what was asked.
    """
    from redis import exceptions as redis

    try:
        yield
    except redis.OutOfMemoryError:
        raise QueueFullError(
            f"{address}: the server is out of memory: raise its maxmemory, or have more consumed"
        ) from None
    except (redis.AuthenticationError, redis.AuthorizationError):
        raise QueueError(f"{address}: the server refuses the user or the password") from None
    except redis.NoPermissionError as error:
        raise QueueError(f"{address}: the user may not do this: {_shortened(error)}") from None
    except redis.BusyLoadingError:
        raise QueueAwayError(f"{address}: the server still reads its data") from None
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise _not_reached(address, error) from None
    except redis.MovedError:
        raise QueueUnusableError(
            f"{address}: this is a node of a cluster: name another server"
        ) from None
    except redis.RedisError as error:
        text = _shortened(error)
        if "DB index" in text:
            raise QueueUnusableError(
                f"{address}: the server has no database {address.database}: name one that it has,"
                " such as 0"
            ) from None
        kind = QueueAwayError if _may_pass(error, text) else QueueError
        raise kind(f"{address}: the server answers: {text}") from None


def _not_reached(address: StreamAddress, error: Exception) -> QueueError:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return QueueError(
            f"{address}: the certificate of the server is not trusted ({cause.verify_message}):"
            " name its authority with ?ssl_ca_certs=/path at the end of the address"
        )
    if "NOAUTH" in str(error):
        return QueueError(f"{address}: the server asks for a password, and the address has none")
    reason = (isinstance(cause, OSError) and cause.strerror) or type(cause).__name__
    return QueueAwayError(f"{address}: the server does not answer ({reason})")


def _may_pass(error: Exception, text: str) -> bool:
    from redis import exceptions as redis

    kinds = redis.ReadOnlyError, redis.MasterDownError
    return isinstance(error, kinds) or text.startswith(AWAY)


def _shortened(error: Exception) -> str:
    """Return the message of the server, without arguments of the command that it may repeat."""
    text = str(error).rpartition(" of pipeline caused error: ")[2]
    lines = text.partition(", with args")[0].splitlines()
    return lines[0][:LONGEST_ANSWER] if lines else type(error).__name__


def _unknown(error: Exception) -> str:
    """Return what is wrong about an option, without the value that a message may repeat."""
    return str(error).partition("argument ")[2] or type(error).__name__
