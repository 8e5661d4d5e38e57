"""Connect to the server of a stream."""

from typing import Any

from batching_demo.contracts.errors import UserError
from batching_demo.queue_servers.errors import QueueUnusableError
from batching_demo.queue_servers.stream_address import StreamAddress, StreamAddressError
from batching_demo.queue_servers.stream_errors import redis_errors

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
"""Longer than any read waits for messages."""
OLDEST_VERSION = (6, 2)


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
    from redis.exceptions import RedisError

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
    except (RedisError, TypeError, ValueError) as error:
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


def _unknown(error: Exception) -> str:
    """Return what is wrong about an option, without the value that a message may repeat."""
    return str(error).partition("argument ")[2] or type(error).__name__
