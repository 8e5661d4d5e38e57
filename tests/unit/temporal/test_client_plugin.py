"""The plugin for clients that the environment names, and what is wrong with it."""

from pathlib import Path

import pytest
from temporalio.client import Plugin

from batching_demo.settings import SettingsError
from batching_demo.temporal.client_plugin import load_client_plugin

CODE = """
from temporalio.plugin import SimplePlugin

def plugin():
    return SimplePlugin("mine")

def number():
    return 1

def broken():
    raise ValueError("no\\nsuch host")

def ending():
    raise SystemExit(0)

async def coroutine():
    return plugin()

text = "not a function"
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "their_plugins.py").write_text(CODE)
    (tmp_path / "their_mistake.py").write_text("import not_installed_here")
    (tmp_path / "their_syntax.py").write_text("def plugin(:")
    (tmp_path / "their_end.py").write_text("raise SystemExit")


def test_the_factory_is_called_once() -> None:
    plugin = load_client_plugin("their_plugins:plugin")
    assert isinstance(plugin, Plugin)
    assert load_client_plugin("their_plugins:plugin") is plugin


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("their_plugins", "write MODULE:FACTORY"),
        (":plugin", "write MODULE:FACTORY"),
        ("absent_module:plugin", "there is no module 'absent_module'"),
        (".relative:plugin", "raises TypeError"),
        ("their_mistake:plugin", "there is no module 'not_installed_here'"),
        ("their_syntax:plugin", "their_syntax raises SyntaxError"),
        ("their_plugins:absent", "their_plugins has no function 'absent'"),
        ("their_plugins:text", "their_plugins has no function 'text'"),
        ("their_plugins:number", "returns int, not a temporalio.client.Plugin"),
        ("their_plugins:broken", "raises ValueError: no such host"),
        ("their_plugins:ending", "raises SystemExit: 0"),
        ("their_plugins:coroutine", "returns coroutine, not a temporalio.client.Plugin"),
        ("their_end:plugin", "their_end raises SystemExit"),
    ],
)
def test_what_is_wrong_is_one_line(spec: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_client_plugin(spec)
    message = str(refused.value)
    assert message.startswith("BATCHING_DEMO_CLIENT_PLUGIN")
    assert reason in message
    assert "\n" not in message
