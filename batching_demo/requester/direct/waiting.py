"""Wait for answers of a Temporal server that is busy or slow."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.client import ActivityHandle
from temporalio.service import RPCError, RPCStatusCode

T = TypeVar("T")
PAUSE_SECONDS = 0.5


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
    """Wait for the result of an activity, however often the server does not answer in time."""
    while True:
        try:
            return await handle.result()
        except asyncio.CancelledError:
            # The SDK raises it for a request that timed out, too.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            await asyncio.sleep(PAUSE_SECONDS)
