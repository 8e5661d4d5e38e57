"""The system user that Postgres runs as, since it refuses to run as root."""

import os
import pwd
import stat
import subprocess
from pathlib import Path
from typing import TypedDict

from batching_demo.devstack.errors import DevStackError

SERVER_USER = "pgserver"


class RunAs(TypedDict, total=False):
    """The arguments of subprocess that change the user."""

    user: int
    group: int
    extra_groups: list[int]


def server_account() -> pwd.struct_passwd | None:
    """Find or create the user of the server; None if our own will do, because it is not root.

    Raises:
        DevStackError: There is no such user.
    """
    if os.geteuid() != 0:
        _check_name(os.geteuid())
        return None
    try:
        return pwd.getpwnam(SERVER_USER)
    except KeyError:
        return _create_account()


def _check_name(user_id: int) -> None:
    try:
        pwd.getpwuid(user_id)
    except KeyError:
        raise DevStackError(
            f"Postgres does not start for user id {user_id}, which has no name on this machine: add"
            " it to /etc/passwd, or name another Postgres with DATABASE_URL"
        ) from None


def _create_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SERVER_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(SERVER_USER)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise DevStackError(
            f"Postgres does not run as root and its user cannot be created: run"
            f" `{' '.join(command)}`, or run this as a normal user"
        ) from error


def run_as(account: pwd.struct_passwd | None) -> RunAs:
    """Return the arguments that make subprocess change to the user of the server."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def barrier(path: Path) -> Path | None:
    """Find the outermost part of a path that other users may not enter or run, if there is one."""
    for part in (*reversed(path.parents), path):
        if not part.stat().st_mode & stat.S_IXOTH:
            return part
    return None
