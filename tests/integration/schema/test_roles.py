"""`batching-demo db roles`: owner, writer and reader, made by a superuser or by less than one."""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

from ruamel.yaml import YAML

from batching_demo.cli.psql import find_psql
from batching_demo.database.roles.names import Roles
from batching_demo.database.schema.version_table import VERSION_TABLE
from tests.support.commands import assert_one_line
from tests.support.database import execute_at
from tests.support.documents import read
from tests.support.postgres import ChosenPostgres
from tests.support.role_commands import (
    NO_PRIVILEGE,
    OWNERS,
    admin_of,
    call,
    check,
    expect_roles_to_work,
    refusals,
    roles,
    select,
    write_something,
)
from tests.support.roles import PASSWORD, ROLES, let_log_in, url_as
from tests.support.root import ROOT

ODD_SCHEMA = '"Odd "";\' schema"'
SEARCH_PATH = f"-csearch_path={ODD_SCHEMA}".replace(" ", "\\ ")


async def test_a_superuser_makes_them_twice_before_the_first_migration(
    empty_database_url: str, prefix: str
) -> None:
    url = empty_database_url
    for _ in range(2):
        result = await roles(url, "--apply", "--prefix", prefix)
        assert result.exit_code == 0, result.output
        assert f"CREATE ROLE worker LOGIN IN ROLE {prefix}_writer;" in result.stdout
    await expect_roles_to_work(url, url, prefix)


async def test_an_administrator_without_superuser_makes_them(
    empty_database_url: str, prefix: str
) -> None:
    admin = await admin_of(empty_database_url, "CREATEROLE")
    for _ in range(2):
        result = await roles(admin, "--apply", "--prefix", prefix)
        assert result.exit_code == 0, result.output
    await expect_roles_to_work(empty_database_url, admin, prefix)


async def test_tables_that_are_there_go_to_the_owner(empty_database_url: str, prefix: str) -> None:
    admin = await admin_of(empty_database_url, "CREATEROLE")
    assert (await call(admin, "db", "upgrade")).exit_code == 0
    assert (await roles(admin, "--apply", "--prefix", prefix)).exit_code == 0
    made = Roles.of_prefix(prefix)
    await execute_at(admin, f"GRANT ALL ON records, batches TO {made.writer}")
    result = await roles(admin, "--apply", "--prefix", prefix)
    assert result.exit_code == 0, result.output
    assert await select(admin, OWNERS) == [(made.owner,)]
    await let_log_in(admin, made.writer)
    assert (await check(url_as(empty_database_url, made.writer))).outcome == "ok"


async def test_a_later_migration_keeps_the_privileges(database_url: str) -> None:
    await execute_at(
        database_url,
        "DROP TABLE batches",
        "ALTER TABLE dead_letters DROP COLUMN target",
        f"UPDATE {VERSION_TABLE} SET version_num = '0005'",
    )
    result = await roles(database_url, "--apply")
    assert result.exit_code == 0, result.output
    assert (await call(url_as(database_url, ROLES.owner), "db", "upgrade")).exit_code == 0
    writer = url_as(database_url, ROLES.writer)
    assert await write_something(writer) == "wrd"
    assert (await check(writer)).outcome == "ok"


async def test_psql_takes_what_is_printed_twice(empty_database_url: str, prefix: str) -> None:
    url = empty_database_url
    await execute_at(url, f"CREATE SCHEMA {ODD_SCHEMA}")
    options = f"?options={quote(SEARCH_PATH)}"
    odd = f"{url}{options}"
    printed = await roles(odd, "--prefix", f"Of-{prefix}")
    assert printed.exit_code == 0, printed.output
    for _ in range(2):
        run_psql(url, printed.stdout)
    applied = await roles(odd, "--apply", "--prefix", f"Of-{prefix}")
    assert applied.exit_code == 0, applied.output
    made = Roles.of_prefix(f"Of-{prefix}")
    await execute_at(url, f"ALTER ROLE \"{made.owner}\" LOGIN PASSWORD '{PASSWORD}'")
    upgraded = await call(f"{url_as(url, made.owner)}{options}", "db", "upgrade")
    assert upgraded.exit_code == 0, upgraded.output
    found = await select(url, "SELECT tableowner FROM pg_tables WHERE tablename = 'records'")
    assert found == [(made.owner,)]


def run_psql(url: str, script: str, **environ: str) -> None:
    """Run a script in psql; a first error ends it."""
    done = subprocess.run(
        [find_psql(embedded=True), "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
        input=script,
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def test_the_page_removes_all_that_was_made(empty_database_url: str, prefix: str) -> None:
    assert (await call(empty_database_url, "db", "upgrade")).exit_code == 0
    assert (await roles(empty_database_url, "--apply", "--prefix", prefix)).exit_code == 0
    page = read(ROOT / "docs" / "operate.md")
    (block,) = [block for block in page.blocks if block.startswith("DROP VIEW")]
    sql = re.sub("batching_(?=reader|writer|owner)", f"{prefix}_", block)
    await execute_at(empty_database_url, *sql.splitlines())
    left = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        f" UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE '{prefix}%'"
    )
    assert await select(empty_database_url, left) == []


async def test_the_logins_of_compose_are_made_twice(postgres: ChosenPostgres) -> None:
    compose = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    script = compose["configs"]["logins"]["content"]
    passwords = {f"{kind}_PASSWORD": PASSWORD for kind in ("OWNER", "WRITER", "TEMPORAL")}
    for _ in range(2):
        run_psql(postgres.url, script, **passwords)
    made = "SELECT datname FROM pg_database WHERE datname LIKE 'temporal%' ORDER BY 1"
    temporal = url_as(postgres.direct_url("temporal"), "temporal")
    assert await select(temporal, made) == [("temporal",), ("temporal_visibility",)]
    assert await refusals(temporal, "CREATE TABLE things (id integer)") == [None]


REFUSED = [
    "DELETE FROM records",
    "TRUNCATE records",
    "DROP TABLE records",
    "ALTER TABLE records ADD COLUMN more text",
    "CREATE INDEX more ON records (line)",
    "CREATE TABLE more (id integer)",
    "CREATE SCHEMA more",
    "CREATE ROLE more",
    "UPDATE records SET payload = '{}'",
    "UPDATE dead_letters SET record = ''",
    "DELETE FROM dead_letters",
    "UPDATE receipts SET verdict = 's'",
    "DELETE FROM receipts",
    "UPDATE batches SET written = 0",
    "DELETE FROM batches",
    "UPDATE database_identity SET identity = gen_random_uuid()",
    f"UPDATE {VERSION_TABLE} SET version_num = '0001'",
    f"INSERT INTO {VERSION_TABLE} VALUES ('0001')",
    "COPY records TO PROGRAM 'cat'",
]


async def test_what_the_writer_may_not_do(database_url: str) -> None:
    writer = url_as(database_url, ROLES.writer)
    answers = dict(zip(REFUSED, await refusals(writer, *REFUSED), strict=True))
    assert answers == dict.fromkeys(REFUSED, NO_PRIVILEGE)
    result = await call(writer, "receipts", "prune", "--older-than", "1d")
    assert_one_line(result, 1, "permission denied for table receipts", "for the owner")


async def test_targets_get_what_their_rule_needs(database_url: str, tmp_path: Path) -> None:
    await execute_at(
        database_url,
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.orders (n serial, k text PRIMARY KEY, v integer, kept text)",
        "CREATE SCHEMA types",
        "CREATE TYPE types.mood AS ENUM ('good')",
        "CREATE DOMAIN types.moods AS types.mood[]",
        "CREATE TABLE plain (k text PRIMARY KEY, of_day types.mood, of_days types.moods)",
    )
    declared = tmp_path / "targets.toml"
    declared.write_text(
        '[orders]\ntable = "shop.orders"\nkey = ["k"]\non_conflict = "newest"\n'
        'newest_by = "v"\ncolumns = { kept = false }\n[plain]\ntable = "plain"\nkey = ["k"]\n'
    )
    arguments = ("--targets", str(declared))
    assert (await roles(database_url, "--apply", *arguments)).exit_code == 0
    writer = url_as(database_url, ROLES.writer)
    checked = await call(writer, "targets", "check", *arguments)
    assert checked.exit_code == 0, checked.output
    others = ("UPDATE shop.orders SET kept = ''", "UPDATE plain SET k = ''", "DELETE FROM plain")
    assert await refusals(writer, *others) == [NO_PRIVILEGE] * 3
    reader = url_as(database_url, ROLES.reader)
    assert await refusals(reader, "SELECT FROM shop.orders") == [None]
