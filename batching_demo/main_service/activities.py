"""Read a slice of the input, and prepare its records; both in threads of the worker."""

import logging
import os
import socket

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.contracts.encoding import pack
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.source_file import ChangedError, SourceError, printable
from batching_demo.main_service.messages import (
    LOAD_RECORDS,
    PREPARE_RECORDS,
    MainInput,
    Slice,
    Source,
)
from batching_demo.main_service.preparation import prepare_slice

logger = logging.getLogger(__name__)


class Unreadable:
    """The files that this worker waits for. Each is logged once, not by every attempt."""

    def __init__(self) -> None:
        self._paths: set[str] = set()

    def met(self, path: str, error: SourceError) -> None:
        """Log that a file cannot be read, unless that is known."""
        if path not in self._paths:
            self._paths.add(path)
            logger.warning("%s; its workflows wait, and try again until it can be read", error)

    def read(self, path: str) -> None:
        """Log that a file can be read again, if it could not."""
        if path in self._paths:
            self._paths.discard(path)
            logger.info("%s can be read again", printable(path))


unreadable = Unreadable()


@activity.defn(name=LOAD_RECORDS)
def load_records(source: Source, slice_: Slice) -> bytes:
    """Read the bytes of one slice, and nothing else of the file.

    A file that cannot be read is waited for like a server that is away: a network file system may
    fail for a moment, and a file may still be copied or mounted to where the worker runs.

    A slice is small, and of a record over the limit 500 MB take less than a second: too short for
    heartbeats.
    """
    try:
        raw = read_slice(source, slice_)
    except ChangedError as error:
        logger.warning(str(error))
        raise _failure(error, non_retryable=True) from None
    except SourceError as error:
        unreadable.met(source.path, error)
        raise _failure(error, non_retryable=False) from None
    unreadable.read(source.path)
    return raw


def _failure(error: SourceError, *, non_retryable: bool) -> ApplicationError:
    message = f"worker {os.getpid()}@{socket.gethostname()} cannot read its input: {error}"
    # Benign, so that the SDK adds no traceback to the line in the log.
    category = ApplicationErrorCategory.BENIGN
    return ApplicationError(message, type="Source", category=category, non_retryable=non_retryable)


@activity.defn(name=PREPARE_RECORDS)
def prepare_records(main_input: MainInput, workflow_id: str, raw: bytes) -> bytes:
    """Turn the bytes of a slice into submissions, ready to be sent."""
    return pack(prepare_slice(main_input, workflow_id, raw))
