"""The SQL of `db roles`: what it covers, and that no name breaks out of it."""

import pytest

from batching_demo.database.models import metadata
from batching_demo.database.roles.installation import Installation, OwnTable
from batching_demo.database.roles.names import PREFIX, Roles, quoted
from batching_demo.database.roles.privileges import INSERTED, READ, UPDATED
from batching_demo.database.roles.statements import statements
from batching_demo.database.schema.migrations import known_revisions
from batching_demo.database.schema.obstacles import VIEWS
from batching_demo.database.schema.version_table import VERSION_TABLE

ROLES = Roles.of_prefix("batching")


def test_every_table_and_view_is_one_that_roles_get() -> None:
    assert {*READ} == {*metadata.tables, *VIEWS, VERSION_TABLE}
    assert {*READ.values()} <= known_revisions()
    assert {*INSERTED} <= {*metadata.tables}
    for table, columns in UPDATED.items():
        assert {*columns} <= {*metadata.tables[table].c.keys()}


def test_only_what_another_role_owns_changes_hands() -> None:
    owners = {"records": "batching_owner", "dead_letters": "app"}
    script = "; ".join(statements(ROLES, Installation("db", "public", owners, True), []))
    assert "ALTER TABLE public.dead_letters OWNER TO batching_owner" in script
    assert "ALTER TABLE public.records" not in script
    assert "GRANT UPDATE (status, attempts, last_seen) ON TABLE public.dead_letters" in script
    assert "batches" not in script
    assert "CONNECT" not in script


def test_the_roles_may_connect_where_not_everybody_may() -> None:
    script = "; ".join(statements(ROLES, Installation("Db", "public", {}, False), []))
    granted = 'GRANT CONNECT ON DATABASE "Db" TO batching_owner, batching_writer, batching_reader'
    assert granted in script


def test_names_are_quoted() -> None:
    types = ['od"d', "My types"]
    own = OwnTable('od"d', "select", ["Größe", "k"], [('od"d', "my seq")], types)
    script = "; ".join(statements(ROLES, Installation("db", "public", {}, True), [own]))
    assert 'GRANT UPDATE ("Größe", k) ON TABLE "od""d"."select" TO batching_writer' in script
    assert 'GRANT USAGE ON SEQUENCE "od""d"."my seq" TO batching_writer' in script
    assert 'GRANT USAGE ON SCHEMA "My types" TO batching_writer' in script
    assert script.count('GRANT USAGE ON SCHEMA "od""d"') == 1
    assert quoted("user") == '"user"'
    assert quoted("100%") == '"100%"'


@pytest.mark.parametrize("prefix", ["a'b", "a$$b", "a;b", "pg_a", "pg", "a\n", "ä", "A" * 49])
def test_a_prefix_breaks_out_of_nothing(prefix: str) -> None:
    assert not PREFIX.fullmatch(prefix)


def test_the_roles_of_an_owner() -> None:
    assert Roles.of_owner("shop_owner") == Roles("shop_owner", "shop_writer", "shop_reader")
    assert Roles.of_owner("postgres") is None
