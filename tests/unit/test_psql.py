"""A database URL as libpq's environment variables."""

import click
import pytest

from batching_demo.cli.psql import connection_variables

COMPLETE = {
    "PGHOST": "db.example",
    "PGPORT": "5433",
    "PGUSER": "ann",
    "PGPASSWORD": "p@ss/w:rd",
    "PGDATABASE": "shop",
}


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_every_scheme_gives_the_same_variables(scheme: str) -> None:
    url = f"{scheme}://ann:p%40ss%2Fw%3Ard@db.example:5433/shop"

    assert connection_variables(url) == COMPLETE


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("sslmode=verify-full", "verify-full"),
        ("ssl=require", "require"),
        ("ssl=true", "require"),
        ("ssl=false", "disable"),
    ],
)
def test_both_spellings_of_encryption_are_understood(query: str, mode: str) -> None:
    assert connection_variables(f"postgresql://db.example/shop?{query}")["PGSSLMODE"] == mode


def test_a_socket_directory_may_stand_in_the_query() -> None:
    variables = connection_variables("postgresql+asyncpg:///shop?host=/run/postgresql&port=5433")

    assert variables == {"PGHOST": "/run/postgresql", "PGPORT": "5433", "PGDATABASE": "shop"}


def test_what_only_the_driver_understands_is_left_out() -> None:
    url = "postgresql://db.example/shop?prepared_statement_cache_size=0"

    assert connection_variables(url) == {"PGHOST": "db.example", "PGDATABASE": "shop"}


@pytest.mark.parametrize(
    "url", ["mysql://ann:secret@db/shop", "secret", "postgresql://a:secret@b:x/c"]
)
def test_another_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(click.ClickException, match="not a Postgres URL") as refusal:
        connection_variables(url)

    assert "secret" not in refusal.value.message
