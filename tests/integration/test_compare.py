"""`batching-demo compare` on real servers."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.comparison import postgres_counts
from tests.support.commands import aside
from tests.support.services import both_services

pytestmark = pytest.mark.usefixtures("on_servers")


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
