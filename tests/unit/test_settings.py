"""Settings come from the environment first, then from the embedded servers that run."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.settings import (
    DevStackAddresses,
    Settings,
    SettingsError,
    find_state_directory,
)

ADDRESSES = DevStackAddresses(
    database_url="postgresql://embedded",
    temporal_address="127.0.0.1:7233",
    ui_url="http://127.0.0.1:8233",
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path)}


def leave(environment: dict[str, str], content: str | bytes) -> None:
    """Write the file that `dev up` writes."""
    directory = find_state_directory(environment)
    assert directory
    directory.mkdir(exist_ok=True)
    content = content if isinstance(content, bytes) else content.encode()
    DevStackAddresses.path(directory).write_bytes(content)


def test_without_anything_the_database_is_missing(environment: dict[str, str]) -> None:
    settings = Settings.from_environment(environment)
    assert (settings.database_url, settings.devstack) == (None, None)
    with pytest.raises(SettingsError, match=r"set DATABASE_URL, .*`batching-demo dev up`"):
        _ = settings.required_database_url


def test_the_embedded_database_is_taken_while_it_runs(environment: dict[str, str]) -> None:
    leave(environment, ADDRESSES.model_dump_json())
    settings = Settings.from_environment(environment)
    assert settings.devstack == ADDRESSES
    assert settings.required_database_url == "postgresql://embedded"


def test_the_environment_wins_over_the_embedded_database(environment: dict[str, str]) -> None:
    leave(environment, ADDRESSES.model_dump_json())
    settings = Settings.from_environment({**environment, "DATABASE_URL": "postgresql://mine"})
    assert settings.required_database_url == "postgresql://mine"
    assert settings.devstack == ADDRESSES


def test_an_empty_variable_is_as_none(environment: dict[str, str]) -> None:
    leave(environment, ADDRESSES.model_dump_json())
    settings = Settings.from_environment({**environment, "DATABASE_URL": ""})
    assert settings.required_database_url == "postgresql://embedded"


def test_a_file_may_hold_the_url(environment: dict[str, str]) -> None:
    leave(environment, ADDRESSES.model_dump_json())
    environment |= {"DATABASE_URL_FILE": "/run/secrets/url"}
    settings = Settings.from_environment(environment)
    assert settings.required_database_url == "file:///run/secrets/url"
    both = Settings.from_environment({**environment, "DATABASE_URL": "postgresql://mine"})
    with pytest.raises(SettingsError, match="are both set: unset one"):
        _ = both.required_database_url


@given(content=st.binary(max_size=60) | st.sampled_from([b"{}", b'{"database_url": 1}']))
def test_a_file_that_is_something_else_counts_as_none(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path_factory.mktemp("state"))}
    leave(environment, content)
    assert Settings.from_environment(environment).devstack is None


@pytest.mark.parametrize(
    ("user", "environ", "expected"),
    [
        (1000, {"XDG_STATE_HOME": "/state", "HOME": "/home/ann"}, "/state/batching-demo"),
        (0, {"XDG_STATE_HOME": "/state"}, "/state/batching-demo"),
        (0, {"HOME": "/root"}, "/var/lib/batching-demo"),
        (1000, {"HOME": "/home/ann"}, "/home/ann/.local/state/batching-demo"),
        (1000, {"HOME": "/home/ann", "XDG_STATE_HOME": ""}, "/home/ann/.local/state/batching-demo"),
    ],
)
def test_where_the_state_directory_is(
    monkeypatch: pytest.MonkeyPatch, user: int, environ: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert find_state_directory(environ) == Path(expected)


def test_the_page_of_a_workflow_is_that_of_its_latest_run() -> None:
    page = "http://127.0.0.1:8233/namespaces/default/workflows/"
    assert ADDRESSES.workflow_page("batcher-0") == f"{page}batcher-0"
    assert ADDRESSES.workflow_page("a/b ?") == f"{page}a%2Fb%20%3F"
