"""What a DBA sees of us in pg_stat_activity."""

import os
import socket

import pytest

from batching_demo.database.engine import session_name


def test_a_session_is_named_by_what_it_is_for_host_and_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "host-7")
    assert session_name("batching-demo compare") == (
        f"batching-demo compare host-7 pid {os.getpid()}"
    )


@pytest.mark.parametrize("host", ["x" * 64, "b\u00fccher" * 12])
def test_a_long_host_is_cut_and_the_process_is_not(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    name = session_name("batching-demo batcher worker")
    assert len(name.encode()) == 63
    assert name.endswith(f" pid {os.getpid()}")
