"""Connections that are opened to find out whether a pooler is in between."""

from typing import Any

import pytest

from batching_demo.database.connection.pooler import Connector


class SilentConnection:
    is_terminated = False

    async def prepare(self, *_: object, **__: object) -> None:
        raise TimeoutError

    def terminate(self) -> None:
        self.is_terminated = True


async def test_a_connection_that_falls_silent_at_once_is_not_left_open() -> None:
    opened: list[SilentConnection] = []

    async def connect(**_: Any) -> SilentConnection:
        opened.append(SilentConnection())
        return opened[-1]

    connector = Connector(connect, "auto", start={}, pooled_start={}, in_transactions={})
    with pytest.raises(TimeoutError):
        await connector.connect()
    assert [connection.is_terminated for connection in opened] == [True]
