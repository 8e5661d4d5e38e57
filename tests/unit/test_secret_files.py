"""A secret may stand in a file that a variable names."""

import re
from pathlib import Path

import pytest

from batching_demo.contracts.payloads import ENCRYPTION_KEYS
from batching_demo.secret_files import (
    CODEC_TOKEN,
    LONGEST_BYTES,
    SECRETS,
    find_secret,
    read_secret_file,
)
from batching_demo.settings import Settings, SettingsError
from batching_demo.temporal.security import API_KEY
from batching_demo.temporal.target import choose_temporal
from tests.support.commands import assert_one_line, run
from tests.support.root import ROOT

QUEUE = "BATCHING_DEMO_QUEUE_URL"


def refusal(path: Path | str) -> str:
    with pytest.raises(SettingsError) as refused:
        read_secret_file("KEY_FILE", str(path))
    return str(refused.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_content_is_the_value(tmp_path: Path, mark: str, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f"{mark} é = b{end}".encode())
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


def test_a_variable_that_is_set_to_nothing_counts_as_not_set(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2")
    assert find_secret({QUEUE: "", f"{QUEUE}_FILE": str(file)}, QUEUE) == "hunter2"
    assert find_secret({QUEUE: "url", f"{QUEUE}_FILE": ""}, QUEUE) == "url"
    assert find_secret({}, QUEUE) == ""


def test_settings_and_temporal_see_what_is_in_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    environ = {"XDG_STATE_HOME": str(tmp_path), f"{ENCRYPTION_KEYS}_FILE": str(file)}
    settings = Settings.from_environment(environ)
    assert settings.encryption_keys == "hunter2"
    assert "hunter2" not in repr(settings)
    environ = {f"{API_KEY}_FILE": str(file), "TEMPORAL_ADDRESS": "cloud:7233"}
    assert choose_temporal(Settings(None), environ).config["api_key"] == "hunter2"


@pytest.mark.parametrize("name", SECRETS)
def test_only_who_needs_a_secret_reads_its_file(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    needing = {
        CODEC_TOKEN: ["codec-server"],
        ENCRYPTION_KEYS: ["batcher", "status"],
        "BATCHING_DEMO_INTAKE_FROM": ["intake", "status"],
        QUEUE: ["doctor"],
        API_KEY: ["batcher", "status"],
    }
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann@db/shop")
    monkeypatch.setenv(f"{name}_FILE", "/absent")
    assert run("db", "url").stdout == "postgresql://ann@db:5432/shop\n"
    assert_one_line(run(*needing[name]), 1, f"{name}_FILE: cannot read /absent")
    monkeypatch.setenv(name, "hunter2")
    assert_one_line(run(*needing[name]), 1, f"{name} and {name}_FILE are both set: unset one")


def test_a_command_takes_an_option_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("redis://ann:hunter2@127.0.0.1:1/0/orders\n")
    monkeypatch.setenv("BATCHING_DEMO_INTAKE_FROM_FILE", str(file))
    assert_one_line(run("intake", "status"), 1, "127.0.0.1:1")


def test_the_docs_name_every_secret() -> None:
    rows = re.findall(r"^\| `(\w+)_FILE` \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    assert set(rows) == {"DATABASE_URL", *SECRETS}
