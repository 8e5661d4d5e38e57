"""A secret may stand in a file that a variable names."""

import re
from pathlib import Path

import pytest

from batching_demo.secret_files import (
    LONGEST_BYTES,
    SECRETS,
    find_secret,
    read_secret_file,
    resolve_secret_files,
)
from batching_demo.settings import Settings, SettingsError
from batching_demo.temporal.target import choose_temporal
from tests.support.commands import assert_one_line, run
from tests.support.root import ROOT

QUEUE = "BATCHING_DEMO_QUEUE_URL"


def refusal(path: Path | str) -> str:
    with pytest.raises(SettingsError) as refused:
        read_secret_file("KEY_FILE", str(path))
    return str(refused.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_content_is_the_value(tmp_path: Path, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f" é = b{end}".encode())
    assert read_secret_file("KEY_FILE", str(file)) == " é = b"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty: write the secret into it"),
        (b"\r\n", "is empty: write the secret into it"),
        (b"hunter2\xff", "it is not UTF-8"),
        (b"hunter2\0", "holds a NUL character: correct it"),
        (b"hunter2" * LONGEST_BYTES, f"has more than {LONGEST_BYTES} bytes: correct it"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    said = refusal(file)
    assert said.startswith("KEY_FILE: ")
    assert str(file) in said
    assert said.endswith(reason)
    assert "hunter2" not in said


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"KEY_FILE: cannot read {tmp_path}: Is a directory"
    assert refusal("/absent") == "KEY_FILE: cannot read /absent: No such file or directory"


def test_every_secret_is_set_from_its_file_once(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    environ = {"DATABASE_URL_FILE": "/later", **{f"{name}_FILE": str(file) for name in SECRETS}}
    resolve_secret_files(environ)
    expected = {"DATABASE_URL_FILE": "/later", **dict.fromkeys(SECRETS, "hunter2")}
    assert environ == expected
    resolve_secret_files(environ)
    assert environ == expected


def test_a_variable_that_is_set_to_nothing_counts_as_not_set(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2")
    assert find_secret({QUEUE: "", f"{QUEUE}_FILE": str(file)}, QUEUE) == "hunter2"
    assert find_secret({QUEUE: "url", f"{QUEUE}_FILE": ""}, QUEUE) == "url"
    assert find_secret({}, QUEUE) == ""


def test_settings_and_temporal_see_what_is_in_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("redis://queue:6379/0\n")
    environ = {"XDG_STATE_HOME": str(tmp_path), f"{QUEUE}_FILE": str(file)}
    assert Settings.from_environment(environ).queue_url == "redis://queue:6379/0"
    environ = {"TEMPORAL_API_KEY_FILE": str(file), "TEMPORAL_ADDRESS": "cloud:7233"}
    resolve_secret_files(environ)
    assert choose_temporal(Settings(None), environ).config["api_key"] == "redis://queue:6379/0"


def test_a_command_takes_an_option_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("redis://ann:hunter2@127.0.0.1:1/0/orders\n")
    name = "BATCHING_DEMO_INTAKE_FROM"
    monkeypatch.setenv(name, "")  # so that it is put back
    monkeypatch.setenv(f"{name}_FILE", str(file))
    assert_one_line(run("intake", "status"), 1, "127.0.0.1:1")
    monkeypatch.setenv(f"{name}_FILE", str(file))
    assert_one_line(run("intake", "status"), 1, f"{name} and {name}_FILE are both set: unset one")


def test_the_docs_name_every_secret() -> None:
    rows = re.findall(r"^\| `(\w+)_FILE` \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    assert set(rows) == {"DATABASE_URL", *SECRETS}
