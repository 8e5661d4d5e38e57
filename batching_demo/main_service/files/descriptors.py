"""Paths that stand for an open descriptor of the process, which no worker can read."""

import os
import re

_DIRECTORIES = re.compile(r"/dev/fd|/proc/\d+(/task/\d+)?/fd")
_MOST_LINKS = 40


def is_descriptor(path: str) -> bool:
    """Return whether a path leads to a descriptor, such as /dev/fd/63 of a process substitution."""
    return _descriptor(path) is not None


def is_standard_input(path: str) -> bool:
    """Return whether a path is another name of standard input, such as /dev/stdin."""
    directory, _, number = (_descriptor(path) or "").rpartition("/")
    is_own = directory == "/dev/fd" or directory.startswith(f"/proc/{os.getpid()}/")
    return is_own and number == "0"


def _descriptor(path: str) -> str | None:
    """Return the descriptor that a path and its links lead to; None if they lead to none."""
    for _ in range(_MOST_LINKS):
        directory, name = os.path.split(os.path.abspath(path))
        directory = os.path.realpath(directory)
        # Here the links end: a descriptor leads on to the file that it is open on.
        if _DIRECTORIES.fullmatch(directory):
            return f"{directory}/{name}"
        path = os.path.join(directory, name)
        if not os.path.islink(path):
            return None
        path = os.path.join(directory, os.readlink(path))
    return None
