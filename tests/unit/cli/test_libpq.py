"""A connection as libpq reads it, by libpq's rules: %20 is a space, a plus is a plus."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.cli.libpq import libpq_environment, libpq_uri
from batching_demo.database.connection.reading import read_parameters

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


def uri(text: str, *, with_password: bool = False) -> str:
    return libpq_uri(read_parameters(text, {}), with_password=with_password)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_every_scheme_gives_the_same_uri(scheme: str) -> None:
    text = f"{scheme}://ann:p%40ss%2Fw%3Ard@db.example:5433/shop"
    assert uri(text) == "postgresql://ann@db.example:5433/shop"
    assert uri(text, with_password=True) == (
        "postgresql://ann:p%40ss%2Fw%3Ard@db.example:5433/shop"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ann@db/shop?ssl=verify-full", "ann@db:5432/shop?sslmode=verify-full"),
        ("ann@db/shop?ssl=true", "ann@db:5432/shop?sslmode=require"),
        ("ann@/shop?host=/run/pg&port=5433", "ann@%2Frun%2Fpg:5433/shop"),
        ("ann@a,[::1]:6000/shop", "ann@a:5432,[::1]:6000/shop"),
        ("ann@db/shop?prepared_statement_cache_size=0", "ann@db:5432/shop"),
        ("db/shop?user=ann&password=p", "ann@db:5432/shop"),
        ("ann@db/shop?sslkey=/k&sslpassword=p", "ann@db:5432/shop?sslkey=/k"),
        ("ann@db/shop?options=-c%20a%3Db", "ann@db:5432/shop?options=-c%20a%3Db"),
    ],
)
def test_what_libpq_is_told(given: str, expected: str) -> None:
    assert uri(f"postgresql://{given}") == f"postgresql://{expected}"


def test_psql_gets_no_secret_and_none_of_libpqs_variables_but_the_password() -> None:
    environ = {"PGSERVICE": "other", "PGHOSTADDR": "::1", "PGPASSWORD": "p", "PG_COLOR": "auto"}
    environ |= {"TEMPORAL_API_KEY": "k"}
    variables = libpq_environment(read_parameters("postgresql://db/shop", environ), environ)
    assert variables == {"PGPASSWORD": "p", "PG_COLOR": "auto"}
    variables = libpq_environment(read_parameters("postgresql://a:q@db/shop", environ), environ)
    assert variables["PGPASSWORD"] == "q"


@given(user=WORD, password=WORD, database=WORD, option=WORD)
def test_what_is_printed_is_read_again(
    user: str, password: str, database: str, option: str
) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    text = f"postgresql://{login}@db/{quote(database, safe='')}?options={quote(option, safe='')}"
    first = read_parameters(text, {})
    printed = libpq_uri(first, with_password=True)
    again = read_parameters(printed, {})
    assert " " not in printed
    assert (again.user, again.password, again.database) == (user, password, database)
    assert again.said.values["options"] == option
    assert again.hosts == first.hosts
