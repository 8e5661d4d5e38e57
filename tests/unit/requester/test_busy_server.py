"""A busy server is waited for; what it will never do is not tried again."""

import pytest
from google.protobuf.any_pb2 import Any as Packed
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.requester.direct import waiting


def exhausted(*, by_temporal: bool) -> RPCError:
    status = GrpcStatus(code=RPCStatusCode.RESOURCE_EXHAUSTED, message="busy")
    if by_temporal:
        packed = Packed()
        packed.Pack(ResourceExhaustedFailure())
        status.details.append(packed)
    return RPCError("busy", RPCStatusCode.RESOURCE_EXHAUSTED, status.SerializeToString())


async def test_a_call_is_made_again_until_the_server_is_not_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PAUSE_SECONDS", 0)
    errors = [exhausted(by_temporal=True)] * 3

    async def call() -> str:
        if errors:
            raise errors.pop()
        return "answer"

    assert await waiting.when_not_busy(call) == "answer"


@pytest.mark.parametrize(
    "error", [exhausted(by_temporal=False), RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")]
)
async def test_other_errors_are_raised(error: RPCError) -> None:
    async def call() -> None:
        raise error

    with pytest.raises(RPCError):
        await waiting.when_not_busy(call)
