"""What the demo says at its end, also if it fails."""

from pathlib import Path

import pytest
from temporalio.service import RPCError, RPCStatusCode

from batching_demo.cli.comparison import demo
from batching_demo.cli.comparison.demo import Servers, _print_next_steps
from batching_demo.settings import DevStackAddresses, Settings
from tests.support.commands import assert_one_line, run

ADDRESSES = DevStackAddresses(
    database_url="postgresql://embedded", temporal_address="x:1", ui_url="http://127.0.0.1:8233"
)


@pytest.mark.parametrize(
    ("keep", "last"),
    [
        (True, "http://127.0.0.1:8233/namespaces/default/workflows/batcher-0"),
        (False, "from records limit 3"),
    ],
)
def test_what_is_kept_can_be_opened_in_the_web_ui(
    keep: bool, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = Servers(Settings(Path("state"), devstack=ADDRESSES), are_stopped=not keep)
    _print_next_steps(servers, keep=keep)
    lines = capsys.readouterr().out.splitlines()
    assert last in lines[-1]
    assert sum("http://" in line for line in lines) == keep


def test_an_error_names_the_server_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not one of the environment, although its own has been stopped by then."""

    def fail(_: Settings) -> None:
        raise RPCError("too late", RPCStatusCode.CANCELLED, b"")

    own = Servers(Settings(Path("state"), devstack=ADDRESSES))
    monkeypatch.setattr(demo, "_embedded", lambda *_, **__: own)
    monkeypatch.setattr(demo, "interrupt_on_signals", lambda: None)
    monkeypatch.setattr(demo, "name_servers", fail)
    assert_one_line(run("demo"), 1, "Temporal at x:1, the embedded Temporal")
