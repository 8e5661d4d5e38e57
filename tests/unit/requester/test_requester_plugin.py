"""What the plugin of a requester's worker does before its workflows run."""

import sys
from typing import Any

import pytest

from batching_demo.requester.plugin import BatchingPlugin

CLIENT = "redis.asyncio"


@pytest.mark.parametrize(
    ("queue_url", "is_loaded"), [("redis://127.0.0.1:6379/0", True), ("", False)]
)
async def test_a_worker_with_a_queue_loads_its_client_before_it_polls(
    queue_url: str, is_loaded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, CLIENT, raising=False)
    loaded_at_first_poll = []

    async def poll(_: Any) -> None:
        loaded_at_first_poll.append(CLIENT in sys.modules)

    worker: Any = None
    await BatchingPlugin(queue_url).run_worker(worker, poll)

    assert loaded_at_first_poll == [is_loaded]


async def test_a_worker_runs_without_the_client_of_its_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, CLIENT, None)  # as if not installed
    polled = []

    async def poll(_: Any) -> None:
        polled.append(True)

    worker: Any = None
    await BatchingPlugin("redis://127.0.0.1:6379/0").run_worker(worker, poll)

    assert polled
