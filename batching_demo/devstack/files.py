"""Files in the state directory: each written whole or not at all, by one process at a time."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import AcquireReturnProxy, BaseFileLock, FileLock, Timeout

from batching_demo.devstack.errors import DevStackError

PRIVATE = 0o077
"""The umask of servers and workers."""
ENTER = 0o011
"""Lets group and others go through a directory, and not list it."""


def make_directory(path: Path) -> None:
    """Make a directory and what is missing above it, whatever the umask.

    Root's servers run as another user, who has to get through those that this makes.
    """
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for made in missing:
            let_through(made)


def let_through(directory: Path) -> None:
    """Let other users go through a directory of ours."""
    directory.chmod(stat.S_IMODE(directory.stat().st_mode) | ENTER)


def write_atomically(path: Path, text: str) -> None:
    """Write a file that only its owner may read, and that nobody ever sees half written."""
    make_directory(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(name).replace(path)


@contextmanager
def exclusively(state_directory: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the state directory.

    Raises:
        DevStackError: The directory cannot be used.
    """
    with disk_errors(state_directory):
        make_directory(state_directory)
        if os.geteuid() == 0:
            # An earlier command may have made it under a strict umask.
            let_through(state_directory)
        lock = FileLock(state_directory / "lock", mode=0o600)
        # Inside the lock: two threads that restore the umask in another order would exchange it.
        with _acquire(lock, report), _own_umask():
            yield


@contextmanager
def disk_errors(state_directory: Path) -> Iterator[None]:
    """Turn errors of the disk into one line.

    Raises:
        DevStackError: The directory cannot be used.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DevStackError(
            f"{reason}: {error.filename or state_directory} (XDG_STATE_HOME chooses another place)"
        ) from error


@contextmanager
def _own_umask() -> Iterator[None]:
    """Keep files from others and none from ourselves, whatever the caller's umask."""
    before = os.umask(PRIVATE)
    try:
        yield
    finally:
        os.umask(before)


def _acquire(lock: BaseFileLock, report: Callable[[str], None]) -> AcquireReturnProxy[BaseFileLock]:
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        report("waiting for another `dev up` or `dev down`")
        return lock.acquire()
