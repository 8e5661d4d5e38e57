"""What a requester promises the workflows of adopters, on real servers."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import Worker

from batching_demo import (
    BatcherSettings,
    BatchingPlugin,
    Record,
    RecordResult,
    Verdict,
    WritePath,
)
from batching_demo.operator.start import start_batchers
from tests.support.batchers import expect_buffered
from tests.support.database import expect_rows, fetch, rows
from tests.support.paths import WITHOUT_QUEUE
from tests.support.services import batcher_service
from tests.support.waiting import eventually
from tests.support.writers import (
    WRITERS,
    Job,
    WriteAtOnce,
    WriteInTwoRuns,
    WriteMuch,
    WriteNumberedKey,
    WriteOnce,
    WriteTwice,
    WriteWhileWriting,
)

QUEUE = "writers"
QUICK = BatcherSettings(linger_seconds=0.2)
PATHS = WITHOUT_QUEUE


def records(*keys: str) -> list[Record]:
    return [Record(key, {"key": key}) for key in keys]


def writer_worker(client: Client, **options: Any) -> Worker:
    """Build the worker of an adopter, whose sandbox is as strict as it comes."""
    options = {"plugins": [BatchingPlugin()], **options}
    return Worker(client, task_queue=QUEUE, workflows=WRITERS, **options)


@asynccontextmanager
async def writing(
    client: Client, engine: AsyncEngine, settings: BatcherSettings = QUICK, **options: Any
) -> AsyncIterator[None]:
    """Run a batcher, and the workers of both sides."""
    await start_batchers(client, 1, settings)
    async with batcher_service(client, engine, settings), writer_worker(client, **options):
        yield


async def start(
    client: Client, run: Callable[..., Any], *arguments: object, name: str | None = None
) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        run, args=arguments, id=name or f"writer-{uuid4()}", task_queue=QUEUE
    )


async def written(client: Client, run: Callable[..., Any], *arguments: object) -> Any:
    return await (await start(client, run, *arguments)).result()


async def failure(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


async def test_requesters_of_one_workflow_write_at_once_and_each_gets_its_answers(
    client: Client, engine: AsyncEngine
) -> None:
    # Without a cache, every task of the workflow is a replay.
    async with writing(client, engine, max_cached_workflows=0):
        found = await written(client, WriteAtOnce.run, Job(records("a", "b", "c", "d", "e")))
    assert found == dict.fromkeys("abcde", "written")
    assert await rows(engine) == 5


@pytest.mark.parametrize("write_path", PATHS)
async def test_results_come_in_the_order_of_the_records_bad_ones_included(
    client: Client, engine: AsyncEngine, write_path: WritePath
) -> None:
    bad = {
        0: Record(" ", {}),
        70: Record("x" * 513, {}),
        71: Record("no object", "[1]"),
        140: Record("nul", {"text": "\0"}),
        209: Record("large", {"text": "x" * 300_000}),
    }
    reasons = ["key_empty", "key_too_long", "not_an_object", "nul", "too_large"]
    given = [bad.get(n) or Record(f"k{n}", f'{{"n": {n}}}') for n in range(210)]
    given += [Record("k1", {"n": 1}), Record("k1", {"n": 2})]
    settings = BatcherSettings(max_records=70, linger_seconds=0.2)
    async with writing(client, engine, settings):
        found: list[RecordResult] = await written(
            client, WriteOnce.run, Job(given, settings, write_path)
        )
    assert [result.key for result in found] == [record.key for record in given]
    verdicts = [result.verdict for result in found]
    expected = [Verdict.REJECTED if n in bad else Verdict.WRITTEN for n in range(210)]
    assert verdicts == [*expected, Verdict.DUPLICATE, Verdict.CONFLICT]
    problems = [result.problem for result in found if result.problem]
    assert [problem.reason for problem in problems] == [*reasons, "conflict"]
    assert await fetch(engine, "SELECT count(*), sum((payload->>'n')::int) FROM records") == [
        (205, sum(range(210)) - sum(bad))
    ]
    assert {reason for (reason,) in await fetch(engine, "SELECT reason FROM dead_letters")} == {
        *reasons,
        "conflict",
    }


async def test_nothing_is_written_of_no_records(client: Client) -> None:
    async with writer_worker(client):
        assert await written(client, WriteOnce.run, Job([])) == []


async def test_a_workflow_that_continues_as_new_writes_again(
    client: Client, engine: AsyncEngine
) -> None:
    async with writing(client, engine):
        same = Job(records("a", "b"), QUICK, next=records("a", "b"))
        other = Job(records("c"), QUICK, next=records("a", "d"))
        assert await written(client, WriteInTwoRuns.run, same) == {"a": "written", "b": "written"}
        found = await written(client, WriteInTwoRuns.run, other)
    assert found == {"a": "duplicate", "d": "written"}
    assert await rows(engine) == 4


async def test_late_answers_to_records_cut_otherwise_hold_nothing_up(
    client: Client, engine: AsyncEngine
) -> None:
    """A second run cuts the records that a first one, out of time, has left with the batcher."""
    given = records(*"abcdefghij")
    async with writing(client, engine, BatcherSettings(linger_seconds=3)):
        first = Job(given, BatcherSettings(max_records=10), deadline_seconds=1)
        handle = await start(client, WriteOnce.run, first, name="same")
        assert (await failure(handle)).type == "Deadline"
        second = Job(given, BatcherSettings(max_records=5))
        found = await (await start(client, WriteOnce.run, second, name="same")).result()
    assert all(result.verdict.is_stored for result in found)
    assert await rows(engine) == 10


async def test_a_worker_may_go_between_a_submission_and_its_verdict(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=2, linger_seconds=60))
    handle = await start(client, WriteAtOnce.run, Job(records("a", "b", "c")))
    async with writer_worker(client), batcher_service(client, engine):
        await expect_rows(engine, 2)
        await expect_buffered(client, 1)
    other = await start(client, WriteOnce.run, Job(records("d")))
    async with batcher_service(client, engine), writer_worker(client):
        assert await handle.result() == dict.fromkeys("abc", "written")
        await other.result()


async def test_a_reset_workflow_gets_the_same_verdicts(client: Client, engine: AsyncEngine) -> None:
    async with writing(client, engine):
        handle = await start(client, WriteTwice.run, Job(records("a", "b"), next=records("c")))
        await handle.signal("verdicts", "verdicts")
        await handle.signal("busy", "busy")
        expected = dict.fromkeys("abc", "written")
        assert await handle.result() == expected
        completed = [
            event.event_id
            async for event in handle.fetch_history_events()
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ]
        for event_id in (completed[0], completed[-1]):
            assert await (await reset(client, handle, event_id)).result() == expected
    assert await rows(engine) == 3


async def reset(
    client: Client, handle: WorkflowHandle[Any, Any], event_id: int
) -> WorkflowHandle[Any, Any]:
    response = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=handle.id, run_id=handle.first_execution_run_id or ""
            ),
            reason="test",
            request_id=str(uuid4()),
            workflow_task_finish_event_id=event_id,
        )
    )
    return client.get_workflow_handle(handle.id, run_id=response.run_id)


@pytest.mark.parametrize("write_path", PATHS)
async def test_a_deadline_names_the_records_without_a_verdict(
    client: Client, write_path: WritePath
) -> None:
    job = Job(records("a", "b"), write_path=write_path, deadline_seconds=0.5)
    async with writer_worker(client):
        failed = await failure(await start(client, WriteOnce.run, job))
    assert failed.type == "Deadline"
    assert failed.message.endswith("2 records, which may be stored or not: 'a', 'b'")


async def test_a_cancelled_workflow_ends_cancelled_and_names_what_is_undecided(
    client: Client,
) -> None:
    async with writer_worker(client):
        handle = await start(client, WriteOnce.run, Job(records("a", "b")))

        async def details(words: str) -> None:
            assert words in str(await handle.query("__temporal_workflow_metadata"))

        await eventually(lambda: details("batching-demo batcher start"))
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        await details("cancelled: no verdict yet for 2 records")
    assert isinstance(failed.value.cause, CancelledError)


async def test_a_workflow_has_its_own_details_again_after_its_last_write(
    client: Client, engine: AsyncEngine
) -> None:
    job = Job(records("a"), next=records("b"))
    async with writing(client, engine, BatcherSettings(linger_seconds=1)):
        assert await written(client, WriteWhileWriting.run, job) == "its own"


async def test_what_cannot_be_written_fails_the_call_and_says_why(
    client: Client, engine: AsyncEngine
) -> None:
    async with writing(client, engine):
        numbered = await failure(await start(client, WriteNumberedKey.run, 5))
        much = await failure(await start(client, WriteMuch.run, 1, 3_000, 1_000))
    assert (numbered.type, much.type) == ("Record", "Record")
    assert "records[0]: the key 5 is int, not text" in numbered.message
    assert "write them in several" in much.message
    assert await rows(engine) == 0


async def test_calls_at_once_may_write_more_than_a_workflow_task_may_record(
    client: Client, engine: AsyncEngine
) -> None:
    async with writing(client, engine, BatcherSettings(max_records=1_000, linger_seconds=0.2)):
        found = await written(client, WriteMuch.run, 6, 8, 200_000)
    assert found == {"written": 48}


async def test_many_submissions_of_one_call_travel_in_messages_that_fit(
    client: Client, engine: AsyncEngine
) -> None:
    given = records(*(f"k{n}" for n in range(3_000)))
    async with writing(client, engine, BatcherSettings(max_records=1_000, linger_seconds=0.2)):
        found = await written(client, WriteOnce.run, Job(given, BatcherSettings(max_records=1)))
    assert [result.key for result in found] == [record.key for record in given]
    assert await rows(engine) == 3_000


async def test_a_plugin_may_be_given_to_the_client_and_to_the_worker_and_to_others(
    client: Client, temporal: Any, engine: AsyncEngine
) -> None:
    plugin = BatchingPlugin()
    address = client.service_client.config.target_host
    with_plugin = await Client.connect(address, namespace=client.namespace, plugins=[plugin])
    workers: Sequence[tuple[Client, list[BatchingPlugin]]] = [
        (with_plugin, []),
        (with_plugin, [plugin]),
        (with_plugin, [BatchingPlugin()]),
        (client, [plugin]),
    ]
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, engine):
        for number, (of_client, plugins) in enumerate(workers):
            with warnings_of_the_sdk(expected=of_client is with_plugin and bool(plugins)):
                worker = writer_worker(of_client, plugins=plugins)
            async with worker:
                found = await written(client, WriteAtOnce.run, Job(records(f"k{number}")))
                assert found == {f"k{number}": "written"}


def warnings_of_the_sdk(*, expected: bool) -> Any:
    """Expect the SDK's word about a plugin on both sides, or none."""
    if expected:
        return pytest.warns(UserWarning, match="present from both client and worker")
    return pytest.MonkeyPatch.context()
