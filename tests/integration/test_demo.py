"""The demo as a person runs it, on servers that the environment names."""

import asyncio
import os
import sys
from typing import Any

from tests.support.shapes import parsed


async def demo(servers: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "batching_demo", "demo", "--use-environment", "--json", *arguments),
        env={**os.environ, **servers, "BATCHING_DEMO_MAX_BYTES": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    results: list[dict[str, Any]] = parsed("demo", output.decode())
    return results


async def test_paths_that_batch_do_so_by_the_same_rules(servers: dict[str, str]) -> None:
    results = await demo(servers, "--records", "25", "--max-records", "10", "--linger", "3")
    batched, unbatched, coalesced, direct = results
    assert (unbatched["batches"], unbatched["tail_records"]) == (25, 0)
    for path in (batched, coalesced, direct):
        # Three, or more where a linger ends before all records have come; 25 if bytes counted.
        assert 3 <= path["batches"] < 15
        assert path["tail_records"] < 10
        # From the first start to the last verdict; the last batch waits a whole linger.
        assert path["seconds"] + path["tail_seconds"] >= 3
        assert path["records"] == path["written"] == 25
    # Of a workflow: its start, its local activities, the write; and a request is an activity.
    assert (unbatched["actions_per_record"], direct["actions_per_record"]) == (3, 1)
    assert batched["actions_per_record"] > 3
