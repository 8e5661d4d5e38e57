"""Read a slice of the input, and prepare its records; both in threads of the worker."""

import logging
import os
import socket
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.contracts.encoding import pack
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.messages import (
    LOAD_RECORDS,
    PREPARE_RECORDS,
    MainInput,
    Slice,
    Source,
)
from batching_demo.main_service.preparation import prepare_slice

logger = logging.getLogger(__name__)


@activity.defn(name=LOAD_RECORDS)
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


@activity.defn(name=PREPARE_RECORDS)
def prepare_records(main_input: MainInput, workflow_id: str, raw: bytes) -> bytes:
    """Turn the bytes of a slice into submissions, ready to be sent."""
    return pack(prepare_slice(main_input, workflow_id, raw))
