"""`batching-demo db roles`: owner, writer and reader, made by a superuser or by less than one."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import Result
from ruamel.yaml import YAML
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from batching_demo.cli.psql import find_psql
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import sqlstate_of
from batching_demo.database.roles.names import Roles
from batching_demo.database.roles.privileges import READ
from batching_demo.database.schema.version_table import VERSION_TABLE
from batching_demo.database.writing.writes import write_batch
from batching_demo.doctor.check import Check
from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.settings import Settings
from tests.support.commands import aside, assert_one_line
from tests.support.database import execute, execute_at, fetch, scalar
from tests.support.documents import read
from tests.support.postgres import ChosenPostgres
from tests.support.records import batch_info, record
from tests.support.roles import PASSWORD, ROLES, let_log_in, url_as
from tests.support.root import ROOT
from tests.support.writing import rows_of

NO_PRIVILEGE = "42501"
OWNERS = f"SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = ANY(ARRAY{[*READ]})"
ODD_SCHEMA = '"Odd "";\' schema"'
SEARCH_PATH = f"-csearch_path={ODD_SCHEMA}".replace(" ", "\\ ")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def prefix(empty_database_url: str) -> str:
    """A prefix of this test's own: all databases of a server share its roles."""
    return str(make_url(empty_database_url).database)


async def call(url: str, *arguments: str) -> Result:
    """Run a command with a database."""
    return await aside_with({"DATABASE_URL": url}, *arguments)


async def aside_with(environ: Mapping[str, str], *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        return await aside(*arguments)


async def roles(url: str, *arguments: str) -> Result:
    return await call(url, "db", "roles", *arguments)


async def select(url: str, sql: str) -> list[tuple[object, ...]]:
    engine = create_engine(url, application_name="tests")
    try:
        return await fetch(engine, sql)
    finally:
        await engine.dispose()


async def write_something(url: str) -> str:
    """Write a record, a duplicate and a dead letter, with their entry in the log of batches."""
    engine = create_engine(url, application_name="tests")
    log = BatchLog(engine, "worker")
    rows = rows_of(
        ("s", [record("a"), PreparedRecord("b", 2, "{", b"", "invalid_json: no")]),
        ("t", [record("a")]),
    )
    result = await write_batch(engine, rows, batch_info(), log=log)
    await log.close()
    assert await scalar(engine, "SELECT count(duplicate) FROM batches") == 1
    await engine.dispose()
    return "".join(result.codes)


async def refusals(url: str, *statements: str) -> list[str | None]:
    """Return the SQLSTATE with which each statement is refused; None for one that is not."""
    engine = create_engine(url, application_name="tests", pool_size=1)
    found: list[str | None] = []
    for statement in statements:
        try:
            await execute(engine, statement)
        except DBAPIError as error:
            found.append(sqlstate_of(error))
        else:
            found.append(None)
    await engine.dispose()
    return found


async def admin_of(url: str, *attributes: str) -> str:
    """Make a role that owns the database, as hosted servers have; return the URL with it."""
    admin = f"admin_{make_url(url).database}"
    await execute_at(
        url,
        f"CREATE ROLE {admin} LOGIN PASSWORD '{PASSWORD}' {' '.join(attributes)}",
        f'ALTER DATABASE "{make_url(url).database}" OWNER TO {admin}',
    )
    return url_as(url, admin)


async def expect_roles_to_work(url: str, admin: str, prefix: str) -> None:
    """Have each of the roles do what it is for, from the first migration on."""
    made = Roles.of_prefix(prefix)
    migrator = f"migrator_{prefix}"
    await execute_at(
        admin,
        f"CREATE ROLE {migrator} LOGIN PASSWORD '{PASSWORD}' IN ROLE {made.owner}",
        f"ALTER ROLE {migrator} SET role = {made.owner}",
    )
    await let_log_in(admin, made.writer, made.reader)
    upgraded = await call(url_as(url, migrator), "db", "upgrade")
    assert upgraded.exit_code == 0, upgraded.output
    assert await select(url, OWNERS) == [(made.owner,)]
    assert await write_something(url_as(url, made.writer)) == "wrd"
    reader = url_as(url, made.reader)
    assert await select(reader, "SELECT rows FROM write_counts") == [(1,)]
    assert not any(await refusals(reader, *(f"SELECT FROM {table}" for table in READ)))
    insert = "INSERT INTO receipts VALUES ('s', 1, 't', 'w')"
    assert await refusals(reader, insert) == [NO_PRIVILEGE]
    assert (await check(url_as(url, made.writer))).outcome == "ok"


async def check(url: str) -> Check:
    """Return what the doctor says of a role."""
    checks = await check_postgres(Settings(Path(), url, database_origins=("DATABASE_URL",)))
    return next(one for one in checks if one.name == "permissions")


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


class TestRefusals:
    """What `db roles --apply` needs, in one line, with nothing changed."""

    async def test_no_right_to_make_roles(self, empty_database_url: str, prefix: str) -> None:
        admin = await admin_of(empty_database_url)
        result = await roles(admin, "--apply", "--prefix", prefix)
        assert_one_line(result, 1, f"may not create {prefix}_owner, {prefix}_writer", "CREATEROLE")
        assert (await roles(admin, "--prefix", prefix)).exit_code == 0

    async def test_a_schema_of_somebody_else(self, empty_database_url: str, prefix: str) -> None:
        admin = await admin_of(empty_database_url, "CREATEROLE")
        await execute_at(empty_database_url, "ALTER SCHEMA public OWNER TO postgres")
        result = await roles(admin, "--apply", "--prefix", prefix)
        assert_one_line(result, 1, "may not grant on schema public: connect as postgres")
        made = f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '{prefix}%'"
        assert await select(empty_database_url, made) == [(0,)]

    async def test_a_database_of_somebody_else(self, empty_database_url: str, prefix: str) -> None:
        admin = await admin_of(empty_database_url, "CREATEROLE")
        name = make_url(empty_database_url).database
        role = make_url(admin).username
        await execute_at(
            empty_database_url,
            f"ALTER DATABASE {name} OWNER TO postgres",
            f"ALTER SCHEMA public OWNER TO {role}",
            f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {name} TO {role}",
        )
        result = await roles(admin, "--apply", "--prefix", prefix)
        said = f"may not grant CONNECT on database {name}: connect as postgres"
        assert_one_line(result, 1, said)
        for name_of_role in Roles.of_prefix(prefix).names:
            grant = f"GRANT CONNECT ON DATABASE {name} TO {name_of_role}"
            await execute_at(admin, f"CREATE ROLE {name_of_role}")
            await execute_at(empty_database_url, grant)
        result = await roles(admin, "--apply", "--prefix", prefix)
        assert result.exit_code == 0, result.output

    async def test_tables_of_somebody_else(self, empty_database_url: str, prefix: str) -> None:
        assert (await call(empty_database_url, "db", "upgrade")).exit_code == 0
        admin = await admin_of(empty_database_url, "CREATEROLE")
        await execute_at(empty_database_url, f"GRANT SELECT ON {VERSION_TABLE} TO public")
        result = await roles(admin, "--apply", "--prefix", prefix)
        assert_one_line(result, 1, "may not grant on ", "connect as postgres")

    async def test_roles_that_somebody_else_has_made(self, empty_database_url: str) -> None:
        admin = await admin_of(empty_database_url, "CREATEROLE")
        result = await roles(admin, "--apply")
        [(is_old,)] = await select(admin, "SELECT current_setting('server_version_num') < '16'")
        if is_old:
            assert result.exit_code == 0
        else:
            assert_one_line(result, 1, "permission denied to grant role", "as an administrator")

    @pytest.mark.parametrize("prefix", ["pg_mine", "1st", 'a"b', "", "a" * 49])
    async def test_a_prefix_that_cannot_be(self, prefix: str, postgres: ChosenPostgres) -> None:
        result = await roles(postgres.url, "--prefix", prefix)
        assert_one_line(result, 2, "--prefix", "cannot begin the name of a role")

    async def test_a_target_without_a_table(self, database_url: str, tmp_path: Path) -> None:
        declared = tmp_path / "targets.toml"
        declared.write_text('[own]\ntable = "absent"\nkey = ["k"]\n')
        result = await roles(database_url, "--targets", str(declared))
        assert_one_line(result, 2, "target own cannot work: there is no table absent")

    async def test_a_table_that_is_not_ours(self, empty_database_url: str) -> None:
        await execute_at(empty_database_url, "CREATE TABLE records (id integer)")
        result = await roles(empty_database_url, "--apply")
        assert_one_line(result, 1, "public.records is in the way")


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


class TestDoctor:
    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("GRANT DELETE, TRUNCATE ON records TO {role}", "it has DELETE, TRUNCATE on records"),
            ("GRANT UPDATE (line) ON dead_letters TO {role}", "it has UPDATE on dead_letters"),
            ("GRANT CREATE ON SCHEMA public TO {role}", "it may create objects in schema public"),
            (
                "ALTER ROLE {role} CREATEROLE CREATEDB",
                "it may create roles, it may create databases",
            ),
            (
                "GRANT pg_execute_server_program TO {role}",
                "privileges of pg_execute_server_program",
            ),
            ("GRANT batching_owner TO {role}", "it owns the tables"),
        ],
    )
    async def test_more_than_a_worker_needs(
        self, database_url: str, statement: str, said: str
    ) -> None:
        role = f"more_{make_url(database_url).database}"
        await execute_at(
            database_url,
            f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' IN ROLE {ROLES.writer}",
            statement.format(role=role),
        )
        found = await check(url_as(database_url, role))
        assert found.outcome == "note"
        assert f"role {role} may do more than a worker needs: " in found.detail
        assert said in found.detail
        assert "`batching-demo db roles`" in found.detail

    async def test_a_superuser_and_the_writer(self, database_url: str) -> None:
        found = await check(database_url)
        assert (found.outcome, "it is a superuser" in found.detail) == ("note", True)
        assert (await check(url_as(database_url, ROLES.writer))).outcome == "ok"

    async def test_receipts_are_needed_by_targets_that_have_them(
        self, database_url: str, tmp_path: Path
    ) -> None:
        await execute_at(database_url, f"REVOKE INSERT ON receipts FROM {ROLES.writer}")
        found = await check(url_as(database_url, ROLES.writer))
        assert found.outcome == "note"
        assert "lacks INSERT on receipts" in found.detail
