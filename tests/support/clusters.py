"""Postgres clusters that a test arranges itself: encrypted ones, standbys, another version."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from batching_demo.devstack.account import run_as, server_account
from batching_demo.devstack.ports import HOST, find_free_port
from tests.support.postgres import open_directory

DEBIAN_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
SUPERUSER = "postgres"


class Cluster:
    """A cluster below a directory that every user may enter.

    Args:
        programs: The directory of Postgres' programs.
        directory: The directory; it also holds the log and the Unix socket.
    """

    def __init__(self, programs: Path, directory: Path) -> None:
        self._programs = programs
        self.directory = directory
        self.data = directory / "data"
        self.port = find_free_port()
        self._own(directory)

    @property
    def address(self) -> str:
        """The host and port."""
        return f"{HOST}:{self.port}"

    def initialise(self, settings: Mapping[str, str], *access: str) -> None:
        """Create the cluster, with settings and lines of pg_hba.conf."""
        self._run("initdb", "-D", self.data, "-U", SUPERUSER, "--no-sync", "--auth=trust")
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(lines)
        (self.data / "pg_hba.conf").write_text("".join(f"{line}\n" for line in access))

    def copy_from(self, primary: "Cluster", name: str) -> None:
        """Create the cluster as a standby of another one that runs."""
        source = f"host={HOST} port={primary.port} user={SUPERUSER} application_name={name}"
        self._run("pg_basebackup", "-d", source, "-D", self.data, "-R", "-c", "fast", "--no-sync")

    def keep(self, *paths: Path) -> None:
        """Have files belong to the server."""
        for path in paths:
            self._own(path)
            path.chmod(0o600)

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        options = f"-h {HOST} -p {self.port} -k {self.directory}"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self._log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server if it runs."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def promote(self) -> None:
        """Make a standby the primary."""
        self._run("pg_ctl", "-D", self.data, "-w", "promote")

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _run(self, program: str, *arguments: str | Path) -> None:
        # The server inherits the output, so that only a file does not wait for its end.
        with (self.directory / "output").open("w+b") as output:
            done = subprocess.run(
                [self._programs / program, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                **run_as(server_account()),
            )
            output.seek(0)
            assert done.returncode == 0, output.read().decode()

    def _own(self, path: Path) -> None:
        if account := server_account():
            os.chown(path, account.pw_uid, account.pw_gid)


@contextmanager
def clusters(programs: Path, number: int) -> Iterator[list[Cluster]]:
    """Prepare directories for clusters, and stop those that run in the end."""
    with open_directory() as directory:
        places = [directory / str(each) for each in range(number)]
        for place in places:
            place.mkdir()
        made = [Cluster(programs, place) for place in places]
        try:
            yield made
        finally:
            for cluster in made:
                cluster.stop()
