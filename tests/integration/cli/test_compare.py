"""`batching-demo compare` on real servers."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.comparison import postgres_counts
from batching_demo.contracts.operations import BatcherSettings
from tests.support.commands import aside
from tests.support.services import batcher_service, both_services
from tests.support.shapes import parsed

pytestmark = [pytest.mark.as_writer, pytest.mark.usefixtures("on_servers")]


async def test_a_path_without_a_batcher_needs_none_and_its_report_shows_what_is_rejected(
    client: Client, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_counts, "LONGEST_LAG_SECONDS", 0.0)  # Nobody reads the counters.
    source, report = tmp_path / "some.ndjson", tmp_path / "report.html"
    source.write_text('{"id":1}\n{"id":2}\n{"id":"\\u0000"}\n')
    async with both_services(client, engine):
        result = await aside(
            *("compare", "--quiet", "--write-path", "unbatched", "--report", str(report)),
            *("--input", str(source), "--records", "3"),
        )
    assert (result.exit_code, result.stderr) == (3, ""), result.output
    assert "records per second" in result.stdout
    assert "Report:" not in result.stdout
    page = report.read_text(encoding="utf-8")
    for shown in ("3 records of some.ndjson", "<td>rejected<td>1", ">unbatched<"):
        assert shown in page


async def test_the_path_without_workflows_needs_no_main_worker(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_counts, "LONGEST_LAG_SECONDS", 0.0)
    arguments = ("--json", "--write-path", "direct", "--records", "5", "--records-per-workflow")
    async with batcher_service(client, engine, BatcherSettings(linger_seconds=1)):
        result = await aside("compare", *arguments, "2")
    assert result.exit_code == 0, result.output
    (path,) = parsed("compare", result.stdout)
    assert (path["write_path"], path["records"], path["written"]) == ("direct", 5, 5)
    assert (path["history_events_per_record"], path["actions_per_record"]) == (0, 0.6)
    assert path["batches"] >= 1
    assert path["verdict_p50_seconds"] > 0
