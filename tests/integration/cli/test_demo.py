"""The demo as a person runs it, on servers that the environment names."""

import pytest

from batching_demo.cli.comparison import demo
from batching_demo.comparison import postgres_counts
from tests.support.commands import aside
from tests.support.shapes import parsed


@pytest.mark.usefixtures("on_servers")
async def test_paths_that_batch_do_so_by_the_same_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "interrupt_on_signals", lambda: None)  # Only the main thread may.
    monkeypatch.setattr(postgres_counts, "LONGEST_LAG_SECONDS", 0.0)  # Nobody reads the counters.
    monkeypatch.setenv("BATCHING_DEMO_MAX_BYTES", "1")
    settings = ("--records", "25", "--max-records", "10", "--linger", "2")
    result = await aside("demo", "--use-environment", "--json", *settings)
    assert result.exit_code == 0, result.output
    batched, unbatched, coalesced, direct = parsed("demo", result.stdout)
    assert (unbatched["batches"], unbatched["tail_records"]) == (25, 0)
    for path in (batched, coalesced, direct):
        # Three, or more where a linger ends before all records have come; 25 if bytes counted.
        assert 3 <= path["batches"] < 15
        assert path["tail_records"] < 10
        # From the first start to the last verdict; the last batch waits a whole linger.
        assert path["seconds"] + path["tail_seconds"] >= 2
        assert path["records"] == path["written"] == 25
    # Of a workflow: its start, its local activities, the write; and a request is an activity. On a
    # busy machine there are a few attempts more.
    assert 3 <= unbatched["actions_per_record"] < 3.5
    assert 1 <= direct["actions_per_record"] < 1.5
    assert batched["actions_per_record"] > 3
