"""What the demo says at its end."""

from pathlib import Path

import pytest

from batching_demo.cli.comparison.demo import Servers, _print_next_steps
from batching_demo.settings import DevStackAddresses, Settings

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
