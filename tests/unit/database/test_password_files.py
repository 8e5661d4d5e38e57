"""Password files, by the rules of libpq's documentation."""

from pathlib import Path

import pytest

from batching_demo.database.connection.hosts import Host
from batching_demo.database.connection.passwords import find_password

DB = Host("db", 5432)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("db:5432:shop:ann:secret", "secret"),
        ("*:*:*:*:any\ndb:5432:shop:ann:secret", "any"),
        ("# a comment: x\n\ndb:5432:shop:bob:no\ndb:*:*:ann:secret", "secret"),
        ("db:5432:shop:ann:a\\:b\\\\c", "a:b\\c"),
        ("db:5432:shop:ann:a:b", "a:b"),
        ("db:5432:shop:ann: spaces ", " spaces "),
        ("d\\b:5432:shop:ann:secret", "secret"),
        ("db:5433:shop:ann:secret", None),
        ("db:5432:shop:ann", None),
        ("", None),
    ],
)
def test_what_a_file_says(tmp_path: Path, content: str, found: str | None) -> None:
    file = tmp_path / "passwords"
    file.touch(0o600)
    file.write_text(content)
    assert find_password(file, DB, "shop", "ann") == found


@pytest.mark.parametrize("name", ["localhost", "/run/pg"])
def test_a_socket_is_localhost(tmp_path: Path, name: str) -> None:
    file = tmp_path / "passwords"
    file.touch(0o600)
    file.write_text(f"{name}:5432:*:*:secret")
    assert find_password(file, Host("/run/pg", 5432), "shop", "ann") == "secret"


def test_a_file_that_is_not_there_has_no_password(tmp_path: Path) -> None:
    assert find_password(tmp_path / "absent", DB, "shop", "ann") is None
    assert find_password(tmp_path, DB, "shop", "ann") is None
