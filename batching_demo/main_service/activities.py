"""Read a slice of the input, and prepare its records; both in threads of the worker."""

import logging
import os
import socket
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.messages import PrepareInput, Slice, Source
from batching_demo.main_service.packing import pack
from batching_demo.main_service.preparation import cut, prepare

logger = logging.getLogger(__name__)


@activity.defn
def load_records(source: Source, slice_: Slice) -> bytes:
    """Read the bytes of one slice, and nothing else of the file.

    A slice is small, and of a record over the limit 500 MB take less than a second: too short for
    heartbeats.
    """
    try:
        return read_slice(source, slice_)
    except SourceError as error:
        message = f"worker {os.getpid()}@{socket.gethostname()} cannot read its input: {error}"
        logger.warning(message)
        # Benign, so that the SDK adds no traceback to the line above.
        raise ApplicationError(
            message,
            type="Source",
            category=ApplicationErrorCategory.BENIGN,
            # A file may still be copied or mounted to where the worker runs; one that has
            # changed never turns back into what the starter read.
            non_retryable=Path(source.path).is_file(),
        ) from None


@activity.defn
def prepare_records(prepare_input: PrepareInput, raw: bytes) -> bytes:
    """Turn the bytes of a slice into submissions, ready to be sent."""
    records = prepare(
        prepare_input.source,
        prepare_input.slice,
        raw,
        prepare_input.key_columns,
        prepare_input.key_prefix,
    )
    return pack(*cut(records, prepare_input))
