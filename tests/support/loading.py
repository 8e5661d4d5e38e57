"""Write small files and run main workflows over them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from temporalio.client import Client

from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import work_of
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.run_options import MOST_OPEN
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import Summary


def write_ndjson(path: Path, documents: Iterable[object]) -> Path:
    """Write documents, a line each."""
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


async def load(
    client: Client,
    path: Path,
    key_columns: Sequence[str] = ("id",),
    records: int | None = None,
    max_open: int = MOST_OPEN,
    **options: object,
) -> Summary:
    """Run main workflows over a file, or its first records, to the last verdict."""
    source = inspect(path, format=None, delimiter=",", key_columns=key_columns).source
    run_options = RunOptions(list(key_columns), **options)  # type: ignore[arg-type]  # of any field
    starter = Starter(client, run_options, max_open=max_open)
    return await starter.run(work_of(source, run_options.records_per_workflow, limit=records))
