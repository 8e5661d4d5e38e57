"""Labels in emoji, which take 12 bytes a character as they travel, stop nothing."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Replayer

from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.contracts.encoding import join
from batching_demo.contracts.limits import KIB, MAX_BATCH_BYTES
from batching_demo.contracts.messages import Submission
from batching_demo.contracts.names import SUBMIT_SIGNAL
from batching_demo.contracts.operations import BatcherSettings, BatcherStatus, Update
from batching_demo.core.admission import LARGEST_BUFFER_BYTES
from batching_demo.operator.requests import request
from batching_demo.operator.start import start_batchers
from batching_demo.requester.messages import SubmitInput
from batching_demo.requester.plugin import BatchingPlugin
from batching_demo.requester.submitter import Submitter
from tests.support.batchers import batcher, status
from tests.support.database import expect_rows
from tests.support.loading import load, write_ndjson
from tests.support.records import record, submission
from tests.support.services import batcher_service, both_services
from tests.support.waiting import eventually, in_time

NAME, LABEL = "\U0001f600" * 60, "\U0001f680" * 100
SENT = 1_200
"""Submissions. Together their headers take 2.6 MB, in 0.4 million characters."""


def labelled(number: int) -> list[Submission]:
    return [
        submission(f"s{n}", [record(f"k{n}")], "nobody", f"{NAME}.csv", LABEL)
        for n in range(number)
    ]


async def test_more_labels_than_a_command_holds_do_not_stop_a_batcher(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=2_000, linger_seconds=600))
    made = labelled(SENT)
    for start in range(0, SENT, 400):
        arguments = join(made[start : start + 400])
        await batcher(client).signal(SUBMIT_SIGNAL, args=arguments)

    async def all_are_taken_or_turned_away() -> BatcherStatus:
        found = await status(client)
        written = found.totals.verdicts.get("written", 0)
        assert written + found.open_records + found.totals.turned_away == SENT
        return found

    async with batcher_service(client, engine):
        found = await eventually(all_are_taken_or_turned_away)
        assert found.totals.turned_away > 0
        assert found.buffered_bytes <= LARGEST_BUFFER_BYTES
        await request(client, 0, Update.DRAIN)
        await expect_rows(engine, SENT - found.totals.turned_away)
    replayer = Replayer(workflows=[BatcherWorkflow], plugins=[BatchingPlugin()])
    await replayer.replay_workflow(await batcher(client).fetch_history())


async def test_a_message_that_is_too_large_for_a_signal_travels_in_several(client: Client) -> None:
    """A workflow that began before sizes counted the bytes that travel makes such messages."""
    await start_batchers(client, 1, BatcherSettings())
    headers, records = join(labelled(600))
    submitter = Submitter(client)
    message = SubmitInput(0, headers, gather_seconds=0.05)
    assert await ActivityEnvironment().run(submitter.submit_to_batcher, message, records)
    history = await batcher(client).fetch_history()
    signals = [
        event.workflow_execution_signaled_event_attributes.input.ByteSize()
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert len(signals) == 3
    assert max(signals) < MAX_BATCH_BYTES + 4 * KIB


async def test_a_file_and_a_run_with_the_longest_names_are_loaded(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / ("\U0001f600" * 61 + ".ndjson")
    write_ndjson(path, [{"id": "日本"}, {"id": "b"}])
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    async with both_services(client, engine):
        summary = await in_time(load(client, path, run_label=LABEL))
    assert summary.written == 2
