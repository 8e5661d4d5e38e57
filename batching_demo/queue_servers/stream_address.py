"""The address of a stream, as a user writes it."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from batching_demo.contracts.errors import UserError

SCHEMES = ("redis", "rediss")
EXAMPLE = "redis://127.0.0.1:6379/0/orders"
DEFAULT_PORT = 6379
LONGEST_STREAM_BYTES = 400
"""With its database and the id of an entry, the name of the stream may be a key."""
LONGEST_OPTION = 30
"""Characters of one that a message shows."""
_PATH = re.compile(r"/(\d{1,5})/(.*[^/])", re.ASCII)
OPTIONS = ("username", "password", "client_name", "protocol", "health_check_interval")
"""Of redis-py, and those of TLS. Others would contradict the address, or how a stream is read."""
_OPTION = re.compile(rf"ssl_\w+|{'|'.join(OPTIONS)}")


class StreamAddressError(UserError):
    """The address of a stream is wrong; the message says how one looks, and repeats no password."""

    exit_code = 2


@dataclass(frozen=True)
class StreamAddress:
    """Where a stream is."""

    server_url: str
    """The URL of the database, as redis-py takes it, with user and password if there are any."""
    database: int
    stream: str
    place: str
    """The address without user, password and options."""

    @classmethod
    def parse(cls, text: str) -> "StreamAddress":
        """Read redis://[USER:PASSWORD@]HOST[:PORT]/DB/STREAM, or rediss:// for TLS.

        Some options of redis-py may follow, such as ?ssl_ca_certs=/path.

        Raises:
            StreamAddressError: It is no such address.
        """
        scheme, separator, rest = text.partition("://")
        if scheme not in SCHEMES:
            _refuse_other_scheme(scheme if separator else "")
        if "," in rest.rpartition("@")[2].partition("/")[0]:
            raise StreamAddressError(
                "several hosts are named, as for a cluster or for Sentinel: name one server"
            )
        try:
            parts = urlsplit(text)
            host = parts.hostname or ""
            port = DEFAULT_PORT if parts.port is None else parts.port
        except ValueError:
            raise _malformed("the host or the port cannot be read") from None
        found = _PATH.fullmatch(parts.path)
        if not host or parts.fragment or found is None:
            raise _malformed(
                "host, number of the database and name of the stream are needed, and nothing else"
            )
        _check_options(parts.query)
        database, stream = int(found[1]), unquote(found[2], errors="surrogateescape")
        if not stream.isprintable() or len(stream.encode()) > LONGEST_STREAM_BYTES:
            raise _malformed(
                f"the name of the stream has to be printable, of {LONGEST_STREAM_BYTES} bytes at"
                " most"
            )
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        login, at, _ = parts.netloc.rpartition("@")
        options = f"?{parts.query}" if parts.query else ""
        return cls(
            server_url=f"{scheme}://{login}{at}{authority}/{database}{options}",
            database=database,
            stream=stream,
            place=f"{scheme}://{authority}/{database}/{quote(stream, safe='/:')}",
        )

    @property
    def queue(self) -> str:
        """The name of the queue, the same whatever the server is called."""
        return f"{self.database}/{self.stream}"

    def __str__(self) -> str:
        return self.place


def _refuse_other_scheme(scheme: str) -> None:
    if "sentinel" in scheme or "cluster" in scheme:
        raise StreamAddressError(
            f"{scheme}:// is not supported: name one server that is neither a node of a cluster nor"
            f" behind Sentinel, such as {EXAMPLE}"
        )
    raise _malformed("it begins with redis://, or rediss:// for TLS; one of SQS with sqs://")


def _check_options(query: str) -> None:
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    if others := [name for name in names if not _OPTION.fullmatch(name)]:
        raise StreamAddressError(
            f"the address of a stream has the option {others[0][:LONGEST_OPTION]!r}: those of TLS"
            f" are taken, such as ssl_ca_certs, and {', '.join(OPTIONS)}"
        )


def _malformed(problem: str) -> StreamAddressError:
    return StreamAddressError(f"an address of a stream looks like {EXAMPLE}: {problem}")
