"""The benchmark runs every part and leaves its results; what they are is not for a test."""

import json
from pathlib import Path

import pytest

from tests.faults.support import start_process


async def benchmark(output: Path, *arguments: str) -> list[str]:
    small = ("--quick", "--rounds", "1", "--workflows", "4", "--output", str(output))
    process = await start_process({}, "-m", "batching_demo.benchmark", *arguments, *small)
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    document = json.loads((output / "results.json").read_text())
    assert (output / "report.html").read_text().count("<svg") >= len(document["sections"]) - 1
    return [section["name"] for section in document["sections"]]


async def test_the_write_and_the_paths(tmp_path: Path) -> None:
    parts = ["write", "paths"]
    assert await benchmark(tmp_path, *parts, "--records-per-workflow", "200") == parts
    assert (tmp_path / "write.svg").read_text().startswith("<?xml")


@pytest.mark.slow
async def test_the_other_parts(tmp_path: Path) -> None:
    parts = ["growth", "distance", "shards", "latency"]
    small = ("--records", "100", "--records-per-workflow", "200")
    assert await benchmark(tmp_path, *parts, *small) == parts
