"""The streams in which submissions travel from requesters to batcher workers."""

from collections.abc import Iterable
from urllib.parse import quote

from batching_demo.contracts.errors import UserError
from batching_demo.queue_servers.stream_address import SCHEMES, StreamAddress, StreamAddressError
from batching_demo.settings import QUEUE_URL

EXAMPLE = "redis://127.0.0.1:6379/0"
GROUP = "batcher-workers"
BODY_FIELD = "submissions"
"""The field of an entry that has packed submissions."""
PREFIX = "batching-demo"


class QueueUrlError(UserError):
    """The URL of the queue is wrong or missing; the message says how one looks."""

    exit_code = 2


def stream_name(namespace: str, shard: int) -> str:
    """Return the name of the stream of a shard. Namespaces may share a server."""
    return f"{PREFIX}/{namespace}/{shard}"


def shards_key(namespace: str) -> str:
    """Return the key of the set of all shards that anything was submitted to."""
    return f"{PREFIX}/{namespace}/shards"


def shards_of(members: Iterable[bytes]) -> list[int]:
    """Return the shards that are members of that set. Others may have added something else."""
    return sorted(int(one) for one in members if one.isdigit())


def stream_address(queue_url: str, namespace: str, shard: int) -> StreamAddress:
    """Return where the stream of a shard is.

    Args:
        queue_url: Of a server and a database, such as redis://127.0.0.1:6379/0.
        namespace: Of the workflows.
        shard: The shard.

    Raises:
        QueueUrlError: It is no such URL.
    """
    base, mark, options = queue_url.partition("?")
    scheme, _, place = base.partition("://")
    authority, _, database = place.rstrip("/").partition("/")
    database = database or "0"
    if scheme not in SCHEMES or not authority or not database.isdecimal():
        raise QueueUrlError(
            f"{QUEUE_URL} (--queue-url): name a server of Redis or Valkey and the number of a"
            f" database, such as {EXAMPLE}"
        )
    name = quote(stream_name(namespace, shard))
    try:
        return StreamAddress.parse(f"{scheme}://{authority}/{database}/{name}{mark}{options}")
    except StreamAddressError as error:
        raise QueueUrlError(f"{QUEUE_URL} (--queue-url): {error}") from None
