"""Wait for answers of a Temporal server that is busy or slow."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.client import ActivityFailureError, ActivityHandle
from temporalio.exceptions import FailureError
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts.payloads import (
    ENCRYPTED,
    ENCRYPTION_KEYS,
    UndecodableError,
    is_encrypted,
)

T = TypeVar("T")
PAUSE_SECONDS = 0.5
NO_CODEC = (
    "the answer of the batcher worker is encrypted: give this client the EncryptionPlugin, and its"
    f" keys in {ENCRYPTION_KEYS}"
)


async def when_not_busy(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that may be repeated, again and again as long as the server is busy.

    The SDK gives up after some seconds.
    """
    while True:
        try:
            return await call()
        except RPCError as error:
            if not is_busy(error):
                raise
        await asyncio.sleep(PAUSE_SECONDS)


def is_busy(error: RPCError) -> bool:
    """Return whether the server is busy, by what Temporal adds to the status.

    A request that is too large for gRPC has the same status without it.
    """
    if error.status is not RPCStatusCode.RESOURCE_EXHAUSTED:
        return False
    details = error.grpc_status.details
    return any(detail.Is(ResourceExhaustedFailure.DESCRIPTOR) for detail in details)


async def result_of(handle: ActivityHandle[Any]) -> Any:
    """Wait for the result of an activity, however often the server does not answer in time.

    Raises:
        ActivityFailureError: It has failed.
        UndecodableError: The result or the failure is encrypted, and the client lacks the key.
    """
    while True:
        try:
            return await handle.result()
        except KeyError as error:
            # The SDK raises it for an encoding that it does not know.
            if ENCRYPTED.decode() in str(error):
                raise UndecodableError(NO_CODEC) from None
            raise
        except ActivityFailureError as error:
            failure = error.cause.failure if isinstance(error.cause, FailureError) else None
            if failure and is_encrypted(failure.encoded_attributes):
                raise UndecodableError(NO_CODEC) from None
            raise
        except asyncio.CancelledError:
            # The SDK raises it for a request that timed out, too.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            await asyncio.sleep(PAUSE_SECONDS)
