"""Word what redis-py raises in one line that names the stream."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from batching_demo.queue_servers.errors import (
    QueueAwayError,
    QueueError,
    QueueFullError,
    QueueUnusableError,
)
from batching_demo.queue_servers.stream_address import StreamAddress

LONGEST_ANSWER = 100
"""Characters of an error of the server."""
LASTING = ("ERR", "WRONGTYPE", "EXECABORT", "CROSSSLOT")
"""Codes of errors that stay. With any other code the server may do the same later: it reads its
data, its disk is full, or it is a replica for now."""


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
    unreadable = isinstance(cause, FileNotFoundError | PermissionError | IsADirectoryError)
    if unreadable and "ssl_" in address.server_url:
        return QueueError(
            f"{address}: a file that an option after the ? names cannot be read ({_reason(cause)})"
        )
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return QueueAwayError(
            f"{address}: TLS fails ({cause.reason}): check that the server takes rediss://, and the"
            " files that options after the ? name"
        )
    if "NOAUTH" in str(error):
        return QueueError(f"{address}: the server asks for a password, and the address has none")
    return QueueAwayError(f"{address}: the server does not answer ({_reason(cause)})")


def _reason(cause: BaseException) -> str:
    return (isinstance(cause, OSError) and cause.strerror) or type(cause).__name__


def _may_pass(error: Exception, text: str) -> bool:
    # redis-py takes the codes that it knows out of the message.
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    return code.isupper() and code not in LASTING


def _shortened(error: Exception) -> str:
    """Return the message of the server, without arguments of the command that it may repeat."""
    _, of_pipeline, text = str(error).rpartition(" of pipeline caused error: ")
    if of_pipeline:
        # There it is the only member of a tuple.
        text = text.strip("('\",)")
    lines = text.partition(", with args")[0].splitlines()
    return lines[0][:LONGEST_ANSWER] if lines else type(error).__name__
