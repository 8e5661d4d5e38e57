"""Checks of this machine."""

import os
import sys
from pathlib import Path

from batching_demo.doctor.check import Check, ok, problem

OLDEST_PYTHON = (3, 11)


def check_machine(state_directory: Path | None) -> list[Check]:
    """Check what needs no server."""
    return [_python(), _state_directory(state_directory)]


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST_PYTHON:
        return problem("Python", f"{version} is too old: install 3.11 or newer")
    return ok("Python", version)


def _state_directory(directory: Path | None) -> Check:
    """Check that the directory can be written to or created, without creating it."""
    if directory is None:
        return problem("state directory", "this user has no home directory: set XDG_STATE_HOME")
    above = (path for path in (directory, *directory.parents) if os.path.lexists(path))
    existing = next(above, Path("/"))
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        advice = "make it yours, or set XDG_STATE_HOME to another place"
        return problem("state directory", f"{existing} cannot be written to: {advice}")
    return ok("state directory", f"{directory}{'' if directory.exists() else ', not there yet'}")
