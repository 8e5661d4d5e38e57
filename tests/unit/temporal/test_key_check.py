"""The look at the keys while a client connects: advice, which holds nothing up."""

import asyncio
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.contracts.payloads import UndecodableError
from batching_demo.temporal import connecting


async def look(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    async def find_database(_: object) -> None:
        if answer is None:
            await asyncio.Event().wait()
        raise answer

    monkeypatch.setattr(connecting, "KEYS_SECONDS", 0.01)
    monkeypatch.setattr(connecting, "find_database", find_database)
    await connecting._check_keys(None)  # type: ignore[arg-type]  # The look-up ignores it.


@pytest.mark.parametrize("answer", [None, RPCError("no", RPCStatusCode.PERMISSION_DENIED, b"")])
async def test_a_server_that_does_not_say_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    await asyncio.wait_for(look(monkeypatch, answer), 60)


async def test_a_wrong_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UndecodableError):
        await look(monkeypatch, UndecodableError("another key"))
