"""`batching-demo db roles` where it may not make them."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from batching_demo.database.roles.names import Roles
from batching_demo.database.schema.version_table import VERSION_TABLE
from tests.support.commands import assert_one_line
from tests.support.database import execute_at
from tests.support.postgres import ChosenPostgres
from tests.support.role_commands import admin_of, call, roles, select


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
