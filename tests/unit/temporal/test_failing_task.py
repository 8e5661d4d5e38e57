"""The cause of a failing workflow task, whatever the codec of a user's plugin raises."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import WorkflowTaskFailedEventAttributes
from temporalio.converter import DataConverter, PayloadCodec

from batching_demo.operator.failing_task import _failure


class BrokenCodec(PayloadCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        raise ZeroDivisionError


async def test_a_codec_that_raises_leaves_the_kind_of_failure() -> None:
    converter = replace(DataConverter.default, payload_codec=BrokenCodec())
    client: Any = SimpleNamespace(data_converter=converter)
    cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    hidden = Failure(message="Encoded failure", encoded_attributes=Payload(data=b"{}"))
    failed = WorkflowTaskFailedEventAttributes(cause=cause, failure=hidden)
    assert await _failure(client, failed) == "non deterministic error"
