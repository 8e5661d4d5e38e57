"""The benchmark runs every part and leaves its results; what they are is not for a test."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.debian import needs_pgbouncer
from tests.support.processes import start_process
from tests.support.waiting import eventually
from tools.benchmark.parts import own_table, write
from tools.benchmark.parts.pooler import DIRECT, POOLED, TOLD
from tools.benchmark.parts.write import OURS, measure_write
from tools.system import system_directory


async def benchmark(output: Path, *arguments: str) -> dict[str, Any]:
    """Run parts of the benchmark, and give their sections by name."""
    small = ("--quick", "--rounds", "1", "--workflows", "4", "--output", str(output))
    process = await start_process({}, "-m", "tools.benchmark", *arguments, *small)
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    document = json.loads((output / "results.json").read_text())
    assert (output / "report.html").read_text().count("<table class=chart>") >= len(
        document["sections"]
    ) - 1
    return {section["name"]: section for section in document["sections"]}


async def test_the_write(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "SIZES", (1, 10))
    monkeypatch.setattr(own_table, "SIZES", (10,))
    section = await measure_write(database_url, rounds=1)
    speeds, *_ = section.tables
    assert OURS in [row[0] for row in speeds.rows]
    assert "0" not in {speed for row in speeds.rows for speed in row}


@pytest.mark.slow
async def test_the_paths(tmp_path: Path) -> None:
    sections = await benchmark(tmp_path, "paths", "--records-per-workflow", "200")
    assert list(sections) == ["paths"]
    _, costs, _ = sections["paths"]["tables"]
    batches = {row[1]: int(row[2]) for row in costs["rows"]}
    assert batches.keys() == {"nothing", "unbatched", "coalesced", "batched", "queued", "direct"}
    assert {path for path, number in batches.items() if number == 0} == {"nothing"}
    assert (tmp_path / "paths.svg").read_text().startswith("<?xml")


@pytest.mark.slow
async def test_the_other_parts(tmp_path: Path) -> None:
    parts = ["write", "growth", "distance", "shards", "latency", "budget"]
    small = ("--records", "100", "--records-per-workflow", "200")
    assert list(await benchmark(tmp_path, *parts, *small)) == parts


@needs_pgbouncer
@pytest.mark.slow
async def test_the_part_behind_a_pooler(tmp_path: Path) -> None:
    sections = await benchmark(tmp_path, "pooler")
    milliseconds, _ = sections["pooler"]["tables"]
    assert [row[0] for row in milliseconds["rows"]] == [DIRECT, TOLD, POOLED]


async def test_ending_it_ends_what_it_started() -> None:
    with system_directory("ended") as directory:
        process = await start_process(
            {"TMPDIR": str(directory)}, "-m", "tools.benchmark", "paths", "--quick"
        )

        async def has_started_all() -> None:
            running = " ".join(_running_in(directory))
            for each in ("postgres", "temporal server", "main worker", "batcher worker", "floor"):
                assert each in running

        await eventually(has_started_all)
        process.terminate()
        printed, _ = await process.communicate()
        assert (process.returncode, _running_in(directory)) == (1, []), printed.decode()


def _running_in(directory: Path) -> list[str]:
    """Find what was told of a directory: servers by argument, workers by environment."""
    running = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        command = process.info["cmdline"] or []
        if any(
            str(directory) in told for told in (*command, *(process.info["environ"] or {}).values())
        ):
            running.append(" ".join(command))
    return running
