"""Files in the state directory: each written whole or not at all, by one process at a time."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import AcquireReturnProxy, BaseFileLock, FileLock, Timeout

from batching_demo.devstack.errors import DevStackError


def write_atomically(path: Path, text: str) -> None:
    """Write a file that only its owner may read, and that nobody ever sees half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(name).replace(path)


@contextmanager
def exclusively(state_directory: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the state directory, and turn errors of the disk into one line.

    Raises:
        DevStackError: the directory cannot be used.
    """
    try:
        state_directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(state_directory / "lock")
        with _acquire(lock, report):
            yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DevStackError(
            f"{reason}: {error.filename or state_directory} (XDG_STATE_HOME chooses another place)"
        ) from error


def _acquire(lock: BaseFileLock, report: Callable[[str], None]) -> AcquireReturnProxy[BaseFileLock]:
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        report("waiting for another `dev up` or `dev down`")
        return lock.acquire()
