"""Search what Temporal and a queue keep for markers, also in what is in base64 or deflated."""

import base64
import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from temporalio.api.workflowservice.v1 import (
    DescribeActivityExecutionRequest,
    ListActivityExecutionsRequest,
)
from temporalio.client import Client

from batching_demo.devstack.valkey import ValkeyServer

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}")
_DEFLATED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
"""How zlib and gzip begin."""
MOST_INFLATED = 1024 * 1024
LAYERS = 4
"""A frame of JSON in base64, in the JSON of a history, has deflated records."""


def found_in(texts: Iterable[bytes], markers: Iterable[str]) -> set[str]:
    """Return the markers that any of the texts has, in any layer."""
    sought = {marker: marker.encode() for marker in markers}
    found: set[str] = set()
    for text in texts:
        for layer in _layers(text, LAYERS):
            found |= {marker for marker, spelled in sought.items() if spelled in layer}
    return found


def _layers(text: bytes, depth: int) -> Iterator[bytes]:
    yield text
    if depth == 0:
        return
    for inner in (*_decoded(text), *_inflated(text)):
        yield from _layers(inner, depth - 1)


def _decoded(text: bytes) -> Iterator[bytes]:
    for match in _BASE64.finditer(text):
        run = match[0]
        # Between other bytes it is not known where it begins.
        for start in range(4):
            length = (len(run) - start) // 4 * 4
            yield base64.b64decode(run[start : start + length])


def _inflated(text: bytes) -> Iterator[bytes]:
    for match in _DEFLATED.finditer(text):
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        try:
            yield inflater.decompress(memoryview(text)[match.start() :], MOST_INFLATED)
        except zlib.error:
            continue


def sqlite_texts(database: Path) -> Iterator[bytes]:
    """Yield all values of a database, and the bytes of its files: a value may lie on two pages."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from (value for value in row if isinstance(value, bytes))
                yield from (value.encode() for value in row if isinstance(value, str))
    for path in database.parent.glob(f"{database.name}*"):
        yield path.read_bytes()


def log_texts(queue: ValkeyServer) -> Iterator[bytes]:
    """Yield the files of a queue. One of them has every command since its start."""
    for path in queue.directory.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


async def histories(client: Client) -> list[bytes]:
    """Return every history of a namespace, and every standalone activity, as JSON."""
    found = []
    async for execution in client.list_workflows():
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        found.append((await handle.fetch_history()).to_json().encode())
    service = client.workflow_service
    activities = await service.list_activity_executions(
        ListActivityExecutionsRequest(namespace=client.namespace)
    )
    for one in activities.executions:
        request = DescribeActivityExecutionRequest(
            namespace=client.namespace,
            activity_id=one.activity_id,
            include_input=True,
            include_outcome=True,
        )
        found.append(MessageToJson(await service.describe_activity_execution(request)).encode())
    return found
