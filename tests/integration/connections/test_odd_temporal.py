"""Temporal servers and workflows as people have them: one true line each, and the exit code."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.converter import PayloadCodec

from batching_demo.cli.main import hindrances
from batching_demo.cli.main import start as main_start
from batching_demo.cli.submitting import running_batchers
from batching_demo.contracts.identity import DATABASE_WORKFLOW_ID
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.identity import read_identity
from batching_demo.devstack.ports import HOST
from batching_demo.operator.identity import ask_identity
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.executions import status_name
from tests.support.commands import aside, assert_one_line, said
from tests.support.processes import finish, start
from tests.support.services import batcher_service, both_services
from tests.support.waiting import eventually, in_time

pytestmark = pytest.mark.usefixtures("on_servers")
QUICK = BatcherSettings(linger_seconds=0.2)
COMMANDS = [
    *("batcher status --shard 0", "batcher start", "batcher reshard 2", "batcher flush"),
    *("main start", "compare --records 1"),
]


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_namespace_that_does_not_exist(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "absent")
    result = await aside(*command.split())
    assert_one_line(result, 1, "no namespace absent", "(TEMPORAL_NAMESPACE)", "namespace create")


@pytest.mark.parametrize("script", ["main_worker.py", "batcher_worker.py"])
async def test_a_worker_waits_for_its_namespace(script: str, servers: dict[str, str]) -> None:
    process = await start({**servers, "TEMPORAL_NAMESPACE": "absent"}, script)
    assert process.stderr
    lines: list[str] = []
    while not lines or "trying again" not in lines[-1]:
        lines.append((await in_time(process.stderr.readline())).decode())
    process.terminate()
    await finish(process)
    assert "no namespace absent" in lines[-1]
    assert not any("polls" in line for line in lines)


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate that nobody trusts, and its key."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@asynccontextmanager
async def listening(secure: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Listen, take connections and say nothing; with TLS or without."""
    connections: list[asyncio.StreamWriter] = []

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(keep, HOST, 0, ssl=secure)
    try:
        yield f"{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in connections:
            connection.close()


async def test_tls_of_a_server_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    result = await aside("batcher", "status")
    assert_one_line(result, 1, "does not use TLS, which TEMPORAL_TLS asks for")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "does not speak Temporal's protocol"),
        ({"TEMPORAL_TLS": "true"}, "is that of an authority"),
    ],
    ids=["asked without", "not trusted"],
)
async def test_a_server_with_tls(
    variables: dict[str, str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(*make_certificate(tmp_path))
    secure.set_alpn_protocols(["h2"])
    async with listening(secure) as address:
        for name, value in {"TEMPORAL_ADDRESS": address, **variables}.items():
            monkeypatch.setenv(name, value)
        assert_one_line(await aside("batcher", "status"), 1, words, address)


async def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batching_demo.temporal.connecting.ANSWER_SECONDS", 0.5)
    async with listening() as address:
        monkeypatch.setenv("TEMPORAL_ADDRESS", address)
        result = await aside("batcher", "status")
    assert_one_line(result, 1, f"does not answer at {address}", "no answer within")


async def pause(client: Client, workflow_id: str, *, on: bool = True) -> None:
    """Pause a workflow as its Web UI does, or let it go on."""
    execution = {"workflow_id": workflow_id, "namespace": client.namespace, "reason": "a test"}
    if on:
        await client.workflow_service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(**execution)
        )
    else:
        await client.workflow_service.unpause_workflow_execution(
            UnpauseWorkflowExecutionRequest(**execution)
        )


async def test_a_batcher_that_is_paused_in_temporal(client: Client) -> None:
    await start_batchers(client, 1, QUICK)
    await pause(client, "batcher-0")
    advice = "batcher-0 is paused in Temporal", "temporal workflow unpause"
    for command in ("flush", "pause", "start", "status", "drain --timeout 1"):
        assert_one_line(await aside("batcher", *command.split()), 1, *advice)
    assert "paused in Temporal" in (await aside("batcher", "status")).stdout
    assert "is paused in Temporal" in (await aside("doctor")).stdout
    await pause(client, "batcher-0", on=False)
    assert (await aside("batcher", "start", "--linger", "0.2")).exit_code == 0


async def test_a_database_workflow_that_is_paused_in_temporal(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_batchers, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(main_start, "LONGEST_NO_WAIT_SECONDS", 0.5)
    advice = f"{DATABASE_WORKFLOW_ID} is paused in Temporal"
    async with batcher_service(client, engine):
        await pause(client, DATABASE_WORKFLOW_ID)
        result = await aside("main", "start", "--no-wait")
        assert_one_line(result, 1, advice, "temporal workflow unpause")
        assert said(result)[0].startswith(advice)
        await pause(client, DATABASE_WORKFLOW_ID, on=False)
        assert await ask_identity(client) == await read_identity(engine)


async def main_workflow(client: Client) -> str:
    async for workflow in client.list_workflows("WorkflowType = 'MainWorkflow'"):
        if workflow.status is WorkflowExecutionStatus.RUNNING:
            return workflow.id
    raise AssertionError("none runs")


async def test_what_keeps_workflows_from_going_on_is_named_while_they_are_waited_for(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hindrances, "LOOK_SECONDS", 0.1)
    looked = asyncio.Event()
    find = hindrances.find_hindrances

    async def find_and_tell(*arguments: object) -> list[str]:
        found = await find(*arguments)  # type: ignore[arg-type]  # as they come
        if len(found) == 2:
            loop.call_soon_threadsafe(looked.set)
        return found

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(hindrances, "find_hindrances", find_and_tell)
    async with both_services(client, engine):
        starting = asyncio.create_task(aside("main", "start", "--workflows", "1"))
        workflow_id = await eventually(lambda: main_workflow(client))
        await pause(client, workflow_id)
        await in_time(looked.wait())
        await start_batchers(client, 1, QUICK)
        await pause(client, workflow_id, on=False)
        result = await in_time(starting)
    assert result.exit_code == 0, result.output
    lines = said(result)
    assert sum("batcher-0 does not run: start it with" in line for line in lines) == 1
    assert sum(f"{workflow_id} is paused in Temporal" in line for line in lines) == 1


async def test_a_workflow_that_somebody_terminates(client: Client, engine: AsyncEngine) -> None:
    async with batcher_service(client, engine):
        starting = asyncio.create_task(aside("main", "start", "--workflows", "1"))
        workflow_id = await eventually(lambda: main_workflow(client))
        await client.get_workflow_handle(workflow_id).terminate(reason="by mistake")
        result = await in_time(starting)
    words = "was terminated in Temporal (by mistake)", "the same command starts it again"
    assert_one_line(result, 1, *words)


@pytest.mark.parametrize(
    ("status", "name"),
    [(1, "running"), (6, "continued_as_new"), (8, "paused"), (99, "status 99")],
)
def test_a_status_that_nobody_knows_has_a_name(status: int, name: str) -> None:
    assert status_name(status) == name


class Sealing(PayloadCodec):
    """Stands for a codec that encrypts."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(metadata={"encoding": b"binary/sealed"}, data=payload.SerializeToString())
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(payload.data) for payload in payloads]


async def test_batchers_whose_memo_only_a_codec_can_read(client: Client) -> None:
    configuration = client.config()
    configuration["data_converter"] = replace(client.data_converter, payload_codec=Sealing())
    await start_batchers(Client(**configuration), 1, QUICK)
    for command in ("batcher status", "batcher flush", "batcher start"):
        result = await aside(*command.split())
        assert_one_line(result, 1, "batcher-0: its memo", "'binary/sealed'", "codec")
    doctor = await aside("doctor")
    assert "'binary/sealed'" in doctor.stdout
    assert doctor.exit_code == 1
