"""The doctor finds what is wrong, names what to type, and changes nothing."""

from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.models import records
from batching_demo.devstack.ports import find_free_port
from batching_demo.doctor.machine import check_machine
from batching_demo.operator import requests as operator
from batching_demo.operator.start import start_batchers
from tests.support.commands import aside
from tests.support.database import execute_at
from tests.support.services import batcher_service, both_services
from tests.support.shapes import parsed
from tests.support.waiting import eventually

pytestmark = pytest.mark.as_writer

NAMES = [
    "Python",
    "state directory",
    "Postgres",
    "schema",
    "permissions",
    "tables",
    "targets",
    "commits",
    "clock",
    "Temporal",
    "main worker",
    "batcher worker",
    "batchers",
    "identity",
]


@pytest.fixture(autouse=True)
def environment(on_servers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "QUERY_SECONDS", 1.0)


async def examine() -> tuple[int, dict[str, tuple[str, str]]]:
    """Run the doctor; give its exit code, and outcome and detail by check."""
    result = await aside("doctor", "--json")
    checks = parsed("doctor", result.stdout)
    assert [check["name"] for check in checks] == NAMES
    return result.exit_code, {one["name"]: (one["outcome"], one["detail"]) for one in checks}


async def well() -> dict[str, tuple[str, str]]:
    """Examine a system without problems, and return the outcome and the detail of each check."""
    exit_code, found = await examine()
    assert exit_code == 0, found
    return found


async def test_all_is_well(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 2, BatcherSettings())

    async with both_services(client, engine):
        # Workers take a moment until they poll, and batchers until they can be listed.
        found = await eventually(well)
        shown = await aside("doctor")
    assert {outcome for outcome, _ in found.values()} == {"ok"}
    assert found["batchers"][1] == "batcher-0 open, batcher-1 open"
    assert len(shown.stdout.splitlines()) == len(NAMES)


async def test_nothing_runs_yet() -> None:
    exit_code, found = await examine()
    assert exit_code == 1
    for name, advice in {
        "batcher worker": "`batching-demo batcher worker`",
        "batchers": "`batching-demo batcher start",
    }.items():
        assert found[name][0] == "problem"
        assert advice in found[name][1]
    assert found["main worker"][0] == "note"
    assert "`batching-demo main worker`" in found["main worker"][1]


async def test_those_with_workflows_of_their_own_need_no_main_worker(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, BatcherSettings())

    async with batcher_service(client, engine):
        found = await eventually(well)
    assert {name for name, (outcome, _) in found.items() if outcome == "note"} == {"main worker"}


async def test_no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{find_free_port()}")
    url = f"postgresql://nobody:hunter2@127.0.0.1:{find_free_port()}/nothing"
    monkeypatch.setenv("DATABASE_URL", url)
    exit_code, found = await examine()
    assert exit_code == 1
    assert found["Postgres"][0] == found["Temporal"][0] == "problem"
    assert found["schema"] == ("skipped", "needs Postgres")
    assert found["batchers"] == ("skipped", "needs Temporal")
    assert "hunter2" not in str(found)


async def test_a_namespace_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "absent")
    _, found = await examine()
    assert found["Temporal"][0] == "problem"
    assert "no namespace absent" in found["Temporal"][1]


async def test_a_database_that_is_not_migrated(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    _, found = await examine()
    assert found["schema"] == ("problem", "not migrated: run `batching-demo db upgrade`")
    assert found["permissions"] == ("skipped", "needs schema")


async def test_an_older_schema(database_url: str) -> None:
    await execute_at(database_url, "UPDATE batching_demo_alembic_version SET version_num = '0001'")
    _, found = await examine()
    assert found["schema"][0] == "problem"
    assert found["schema"][1] == (
        "the schema is at revision 0001, and role batching_writer may not change it: run"
        " `batching-demo db upgrade` as batching_owner, who owns the tables"
    )


async def test_a_role_that_may_not_write(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"role_{make_url(database_url).database}"
    await execute_at(
        database_url,
        f"CREATE ROLE {role} LOGIN PASSWORD 'secret' IN ROLE pg_read_all_data",
        f"GRANT INSERT ON records TO {role}",
    )
    url = make_url(database_url).set(username=role, password="secret")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    _, found = await examine()
    assert found["permissions"] == (
        "problem",
        f"role {role} lacks INSERT on dead_letters, UPDATE (status, attempts, last_seen) on"
        " dead_letters, INSERT on batches, UPDATE (duplicate, conflict, rejected, milliseconds) on"
        " batches: grant it, or take the writer of `batching-demo db roles`",
    )


async def test_privileges_on_columns_are_enough(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"role_{make_url(database_url).database}"
    sent = ", ".join(column.name for column in records.c if column.name not in ("id", "written_at"))
    await execute_at(
        database_url,
        f"CREATE ROLE {role} LOGIN PASSWORD 'secret'",
        f"GRANT INSERT ({sent}), SELECT ({sent}) ON records TO {role}",
        f"GRANT INSERT, SELECT ON dead_letters, batches, receipts TO {role}",
        f"GRANT UPDATE (status, attempts, last_seen) ON dead_letters TO {role}",
        f"GRANT UPDATE (duplicate, conflict, rejected, milliseconds) ON batches TO {role}",
        f"GRANT SELECT ON batching_demo_alembic_version TO {role}",
    )
    url = make_url(database_url).set(username=role, password="secret")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    _, found = await examine()
    assert found["permissions"] == ("ok", "the role may do what the worker does")


async def test_a_version_table_that_the_role_may_not_read(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"role_{make_url(database_url).database}"
    await execute_at(database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
    url = make_url(database_url).set(username=role, password="secret")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    _, found = await examine()
    assert found["schema"][1].endswith("batching_demo_alembic_version: grant SELECT on it")


async def test_what_else_decides_what_is_stored(database_url: str) -> None:
    await execute_at(
        database_url,
        "ALTER TABLE records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "CREATE POLICY tenant ON records USING (true)",
        "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER pass BEFORE INSERT ON dead_letters FOR EACH ROW EXECUTE FUNCTION pass()",
    )
    _, found = await examine()
    assert found["tables"] == (
        "ok",
        "dead_letters has trigger pass; records has policy tenant, row level security, which"
        " applies to role batching_writer: a record that they refuse or change is rejected",
    )


async def test_a_rule_lets_no_row_in(database_url: str) -> None:
    await execute_at(
        database_url,
        "CREATE RULE no_deletes AS ON DELETE TO records DO INSTEAD NOTHING",
        "CREATE RULE audit AS ON INSERT TO records DO ALSO SELECT 1",
    )
    _, found = await examine()
    advice = "drop it, or make it a trigger: rules bar what workers send"
    assert found["tables"] == ("problem", f"records has rule audit: {advice}")
    status, detail = found["permissions"]
    assert status == "problem"
    assert detail.startswith("a table has a rule (")
    assert detail.endswith(f": {advice}")


def test_a_state_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _, found = check_machine(tmp_path / "file" / "batching-demo")
    assert found.outcome == "problem"
    assert "XDG_STATE_HOME" in found.detail
