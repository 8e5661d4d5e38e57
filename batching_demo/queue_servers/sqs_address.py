"""The address of an SQS queue, as a user writes it."""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from batching_demo.contracts.errors import UserError

SCHEME = "sqs://"
EXAMPLE = "sqs://sqs.eu-central-1.amazonaws.com/123456789012/orders"
_REGION = re.compile(r"(?:^|\.)sqs(?:-fips)?\.([a-z0-9-]+)\.|^([a-z]{2,}-[a-z-]+-\d)\.queue\.")
"""The region in the host name of a queue: sqs.REGION.amazonaws.com, or the older spelling."""


class SqsAddressError(UserError):
    """The address of a queue is wrong; the message says how one looks."""

    exit_code = 2


@dataclass(frozen=True)
class SqsAddress:
    """Where a queue is."""

    host: str
    path: str
    """The number of the account and the name, between slashes."""
    endpoint_url: str | None = None
    """Where to reach SQS; None where the host name says."""

    @classmethod
    def parse(cls, text: str, endpoint_url: str | None = None) -> "SqsAddress":
        """Read an address.

        Args:
            text: The URL of the queue, with sqs:// in place of https://.
            endpoint_url: Where to reach SQS, if that is not the host of the queue.

        Raises:
            SqsAddressError: It is no address of a queue.
        """
        parts = _split(text)
        names = parts.path.strip("/").split("/") if parts else []
        if parts is None or not text.startswith(SCHEME) or not parts.netloc or len(names) != 2:
            raise SqsAddressError(
                f"the address of a queue is its URL with {SCHEME} in place of https://, such as"
                f" {EXAMPLE}"
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise SqsAddressError(
                "the address of a queue holds neither credentials nor options: give"
                f" {SCHEME}{parts.hostname}{parts.path}, and set AWS_PROFILE, or AWS_ACCESS_KEY_ID"
                " and AWS_SECRET_ACCESS_KEY"
            )
        if endpoint_url and not _is_endpoint(endpoint_url):
            raise SqsAddressError(
                "--endpoint-url: give the URL of a server, such as http://127.0.0.1:9324"
            )
        return cls(parts.netloc, parts.path.rstrip("/"), endpoint_url and endpoint_url.rstrip("/"))

    def __str__(self) -> str:
        return f"{SCHEME}{self.host}{self.path}"

    @property
    def url(self) -> str:
        """The URL of the queue, as SQS knows it."""
        return f"{self.endpoint_url or f'https://{self.host}'}{self.path}"

    @property
    def region(self) -> str | None:
        """The region that the host names; None if it names none."""
        found = _REGION.search(self.host)
        return (found[1] or found[2]) if found else None

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return self.path.endswith(".fifo")


def _split(text: str) -> SplitResult | None:
    """Return the parts of a URL; None if its host or its port cannot be read."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_endpoint(url: str) -> bool:
    parts = _split(url)
    return (
        parts is not None
        and parts.scheme in ("http", "https")
        and re.fullmatch(r"[\w.:\[\]-]+", parts.netloc) is not None
    )
