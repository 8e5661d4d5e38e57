"""Passwords that stand in files: they change while an engine lives, and it goes on."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, database_errors
from tests.support.database import execute_at, scalar
from tests.support.waiting import eventually


@dataclass(frozen=True)
class Login:
    """A role of this test's own, and the URL without its password."""

    owner_url: str
    url: URL

    async def change(self, password: str) -> None:
        """Change the password, and end the sessions that know the old one."""
        role = self.url.username
        await execute_at(
            self.owner_url,
            f"ALTER ROLE {role} PASSWORD '{password}'",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'",
        )

    def line(self, password: str) -> str:
        """Return a line of a password file; colons and backslashes are escaped."""
        password = password.replace("\\", "\\\\").replace(":", "\\:")
        return f"# ours\n{self.url.host}:{self.url.port}:*:{self.url.username}:{password}\n"


@pytest.fixture
async def login(database_url: str) -> Login:
    url = make_url(database_url)
    role = f"role_{url.database}"
    await execute_at(database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'first'")
    return Login(database_url, URL.create("postgresql", role, None, url.host, url.port, role[5:]))


def write_private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text)


async def expect_user(engine: AsyncEngine, login: Login) -> None:
    async def check() -> None:
        try:
            with database_errors():
                assert await scalar(engine, "SELECT current_user") == login.url.username
        except DatabaseFailedError as error:
            raise AssertionError(error) from error

    await eventually(check)


async def refusal(engine: AsyncEngine) -> str:
    """Return what is said once the connections that were open have been found closed."""

    async def check() -> str:
        with pytest.raises(DatabaseFailedError) as failed, database_errors():
            await scalar(engine, "SELECT 1")
        assert failed.value.failure.sqlstate == "28P01"
        return str(failed.value)

    return await eventually(check)


@pytest.mark.parametrize("way", ["passfile", "PGPASSFILE", "at home", "DATABASE_URL_FILE"])
async def test_a_password_changes_while_an_engine_lives(
    login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    file = tmp_path / ".pgpass"
    monkeypatch.setenv("HOME", str(tmp_path if way == "at home" else "/absent"))
    url = login.url.render_as_string()
    if way == "passfile":
        url += f"?passfile={file}"
    elif way == "PGPASSFILE":
        monkeypatch.setenv("PGPASSFILE", str(file))
    elif way == "DATABASE_URL_FILE":
        url = f"file://{file}"

    def write(password: str) -> None:
        whole = login.url.set(password=password).render_as_string(hide_password=False)
        is_url = way == "DATABASE_URL_FILE"
        write_private(file, f"{whole}\n" if is_url else login.line(password))

    write("first")
    engine = create_engine(url, application_name="tests")
    await expect_user(engine, login)
    await login.change("se:co\\nd")
    told = await refusal(engine)
    place = "DATABASE_URL_FILE" if way == "DATABASE_URL_FILE" else str(file)
    assert told == f"the password in {place} is wrong"
    write("se:co\\nd")
    await expect_user(engine, login)
    await engine.dispose()


async def test_a_file_that_others_may_read_is_not_used(login: Login, tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    write_private(file, login.line("first"))
    file.chmod(0o640)
    url = f"{login.url.render_as_string()}?passfile={file}"
    engine = create_engine(url, application_name="tests")
    assert await refusal(engine) == (
        f"the password file {file} is not used, as others may read it: chmod 600 it"
    )
    file.chmod(0o600)
    await expect_user(engine, login)
    write_private(file, "")
    await login.change("second")
    assert "DATABASE_URL has no password, nor has" in await refusal(engine)
    await engine.dispose()


async def test_a_file_that_goes_bad_is_named(login: Login, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(login.url.set(password="first").render_as_string(hide_password=False))
    engine = create_engine(f"file://{file}", application_name="tests")
    file.write_text("postgresql://ann:hunter2@2@db/shop")
    with pytest.raises(DatabaseFailedError, match="DATABASE_URL_FILE is ambiguous") as failed:
        await scalar(engine, "SELECT 1")
    assert "hunter2" not in str(failed.value)
    await engine.dispose()
