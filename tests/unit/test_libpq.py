"""A database URL as libpq reads it, by libpq's rules: %20 is a space, a plus is a plus."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL

from batching_demo.cli.libpq import libpq_uri, split_password
from batching_demo.database.engine import database_url

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_every_scheme_gives_the_same_uri_without_the_password(scheme: str) -> None:
    url = database_url(f"{scheme}://ann:p%40ss%2Fw%3Ard@db.example:5433/shop")
    bare, password = split_password(url)
    assert password == "p@ss/w:rd"
    assert libpq_uri(bare) == "postgresql://ann@db.example:5433/shop"
    assert libpq_uri(url) == "postgresql://ann:p%40ss%2Fw%3Ard@db.example:5433/shop"


@pytest.mark.parametrize("query", ["sslmode=verify-full", "ssl=verify-full"])
def test_both_spellings_of_encryption_are_understood(query: str) -> None:
    uri = libpq_uri(database_url(f"postgresql://db.example/shop?{query}"))
    assert uri == "postgresql://db.example/shop?sslmode=verify-full"


def test_a_socket_directory_may_stand_in_the_query() -> None:
    uri = libpq_uri(database_url("postgresql+asyncpg:///shop?host=/run/postgresql&port=5433"))
    assert uri == "postgresql:///shop?host=/run/postgresql&port=5433"


def test_what_only_the_driver_understands_is_left_out() -> None:
    url = "postgresql://db.example/shop?prepared_statement_cache_size=0"
    assert libpq_uri(database_url(url)) == "postgresql://db.example/shop"


def test_a_password_may_stand_in_the_query() -> None:
    bare, password = split_password(database_url("postgresql:///shop?user=ann&password=p%2B%20w"))
    assert (libpq_uri(bare), password) == ("postgresql:///shop?user=ann", "p+ w")


@given(st.none() | WORD, st.none() | WORD, WORD, st.dictionaries(st.just("options"), WORD))
def test_libpq_finds_every_part_again(
    user: str | None, password: str | None, database: str, query: dict[str, str]
) -> None:
    password = password if user else None
    url = URL.create("postgresql", user, password, "db", 5432, database, query)
    bare, apart = split_password(url)
    assert apart == password
    uri = libpq_uri(bare)
    assert " " not in uri
    # libpq splits at these, in this order, and decodes percent signs only.
    address, _, parameters = uri.removeprefix("postgresql://").partition("?")
    login, at, place = address.rpartition("@")
    host, _, name = place.partition("/")
    assert (unquote(login) if at else None, host, unquote(name)) == (user, "db:5432", database)
    assert [unquote(one.partition("=")[2]) for one in parameters.split("&") if one] == [
        *query.values()
    ]
