"""`targets check` and the doctor look at the tables of declared targets."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.settings import Settings
from tests.support.commands import aside, assert_one_line, said
from tests.support.database import execute
from tests.support.own_tables import declared
from tests.support.shapes import parsed

INVOICES = """
CREATE TABLE invoices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invoice_no text NOT NULL UNIQUE,
    amount numeric(12,2) NOT NULL, issued_at timestamptz DEFAULT now()
)"""
FILE = """
[invoices]
table = "invoices"
key = ["invoice_no"]
columns = { issued_at = "date" }
return = ["id"]

[wrong]
table = "invoice"
key = ["invoice_no"]
on_conflict = "update"
"""


@pytest.fixture(autouse=True)
def environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "targets.toml"
    path.write_text(FILE)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("BATCHING_DEMO_TARGETS", str(path))


async def test_the_mapping_is_shown_and_every_problem(engine: AsyncEngine) -> None:
    await execute(engine, INVOICES)
    result = await aside("targets", "check", "invoices")
    assert (result.exit_code, said(result)) == (0, [])
    assert result.stdout.startswith(
        """\
invoices -> invoices, key (invoice_no)
  ignore: a key that is stored stays as it is; returns id
  id          bigint                    identity
  invoice_no  text                      field invoice_no, which every record needs
  amount      numeric(12,2)             field amount, which every record needs
  issued_at   timestamp with time zone  field date; without it now()
"""
    )
    result = await aside("targets", "check")
    assert result.exit_code == 2
    assert result.stdout.endswith(
        """\
wrong -> invoice, key (invoice_no)
  update: each record replaces what is stored
  problem: on_conflict = "update" is not safe to repeat, since an old submission that is sent again\
 overwrites newer data: add receipts = true, or take "newest"
  problem: there is no table invoice: create it, or correct its name
"""
    )


async def test_json_has_the_same(engine: AsyncEngine) -> None:
    await execute(engine, INVOICES)
    result = await aside("targets", "check", "--json")
    assert (result.exit_code, result.stderr) == (2, "")
    good, wrong = parsed("targets check", result.stdout)
    assert good["problems"] == []
    assert good["columns"][3] == {
        "column": "issued_at",
        "type": "timestamp with time zone",
        "field": "date",
        "default": "now()",
    }
    assert 'INSERT INTO "public"."invoices"' in good["sql"]["insert new keys"]
    assert len(wrong["problems"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["invoises"], "targets.toml declares no target invoises: is it invoices?"),
        ([], "no target is declared: name a file that declares some"),
        (["--targets", "none.toml"], "none.toml cannot be read"),
    ],
)
async def test_what_cannot_be_checked_is_refused(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not arguments:
        monkeypatch.setenv("BATCHING_DEMO_TARGETS", "")
    assert_one_line(await aside("targets", "check", *arguments), 2, words)


async def test_no_database_is_no_problem_of_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert_one_line(await aside("targets", "check"), 1, "127.0.0.1:1/none from DATABASE_URL")


async def test_the_doctor_names_the_first_problem(engine: AsyncEngine, database_url: str) -> None:
    settings = Settings(Path(), database_url)
    targets = [declared("invoices", "invoice_no"), declared("no.thing")]
    await execute(engine, INVOICES)
    found = {one.name: one for one in await check_postgres(settings, targets)}
    assert found["targets"].outcome == "problem"
    assert found["targets"].detail.startswith("own: there is no table no.thing")
    found = {one.name: one for one in await check_postgres(settings, targets[:1])}
    assert (found["targets"].outcome, found["targets"].detail) == ("ok", "own")
