"""What the doctor says of the role of a batcher worker."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.support.database import execute_at
from tests.support.role_commands import check
from tests.support.roles import PASSWORD, ROLES, url_as


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
