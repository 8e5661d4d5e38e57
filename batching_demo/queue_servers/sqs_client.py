"""Connect to SQS, and word its errors in one line."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from batching_demo.contracts.errors import UserError
from batching_demo.queue_servers.errors import QueueAwayError, QueueError
from batching_demo.queue_servers.sqs_address import SqsAddress

BATCH = 10
"""Messages in one request to SQS, at most."""
CONNECT_SECONDS = 5
ANSWER_SECONDS = 30
"""Longer than SQS waits for messages."""
CONNECTIONS = 30
"""At a time: receiving, deleting and extending, ten requests of each."""
_ADVICE = {
    "QueueDoesNotExist": "there is no such queue: check account, name and region",
    "NonExistentQueue": "there is no such queue: check account, name and region",
    "AccessDenied": "access is denied: allow sqs:ReceiveMessage, sqs:DeleteMessage,"
    " sqs:ChangeMessageVisibility, sqs:GetQueueAttributes and sqs:SendMessage",
    "AccessDeniedException": "access is denied: allow sqs:ReceiveMessage, sqs:DeleteMessage,"
    " sqs:ChangeMessageVisibility, sqs:GetQueueAttributes and sqs:SendMessage",
    "InvalidClientTokenId": "AWS does not know these credentials: check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS refuses these credentials: check AWS_SECRET_ACCESS_KEY",
}
"""What to do, by the code of an error. All other codes may pass: throttling, expired tokens that a
role renews, and faults of the service."""


class SqsMissingError(UserError):
    """The package that speaks to SQS is not installed."""


@asynccontextmanager
async def open_client(address: SqsAddress) -> AsyncIterator[Any]:
    """Open a client of the SQS that has a queue.

    Raises:
        SqsMissingError: The extra `sqs` is not installed.
        QueueError: Region or credentials are missing.
    """
    try:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session
    except ImportError:
        raise SqsMissingError(
            "SQS needs aiobotocore: install it with `pip install 'FOLDER_OF_THE_CLONE[sqs]'`"
        ) from None
    config = AioConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        max_pool_connections=CONNECTIONS,
        retries={"total_max_attempts": 2},
    )
    # Of the other SDKs' variable, botocore knows nothing.
    region = address.region or os.environ.get("AWS_REGION")
    with sqs_errors(address):
        opening = get_session().create_client(
            "sqs", endpoint_url=address.endpoint_url, region_name=region, config=config
        )
        client = await opening.__aenter__()
    try:
        yield client
    finally:
        await opening.__aexit__(None, None, None)


@contextmanager
def sqs_errors(address: SqsAddress) -> Iterator[None]:
    """Raise whatever the client raises as one line that names the queue.

    Raises:
        QueueAwayError: SQS does not answer, or not now.
        QueueError: It refuses what was asked.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        NoCredentialsError,
        NoRegionError,
    )
    from botocore.exceptions import ConnectionError as NotConnected

    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code", "").rpartition(".")[2]
        if code in _ADVICE:
            raise QueueError(f"{address}: {_ADVICE[code]}") from None
        raise QueueAwayError(f"{address}: SQS answers {code or 'with an error'}") from None
    except (NotConnected, HTTPClientError, TimeoutError) as error:
        at = address.endpoint_url or address.host
        raise QueueAwayError(f"{address}: {at} does not answer ({type(error).__name__})") from None
    except NoCredentialsError:
        raise QueueError(
            f"{address}: no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY"
        ) from None
    except NoRegionError:
        raise QueueError(f"{address}: the host names no region: set AWS_REGION") from None
    except BotoCoreError as error:
        raise QueueError(f"{address}: {error}") from None
