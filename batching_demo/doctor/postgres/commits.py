"""Whether a commit returns: with synchronous replication it waits for standbys."""

import re

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.doctor.check import Check, ok, problem

COMMITS = "commits"
WITHOUT_STANDBY = ("off", "local")
SETTINGS = text(
    "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),"
    " pg_has_role('pg_read_all_stats', 'USAGE')"
)
# Without pg_read_all_stats a role sees that there are standbys, and nothing else of them.
STANDBYS = text(
    "SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum'))"
    " FROM pg_stat_replication"
)


async def check_commits(connection: AsyncConnection) -> Check:
    """Check that as many standbys are connected as a commit waits for."""
    level, names, sees_all = (await connection.execute(SETTINGS)).one()
    if not names or level in WITHOUT_STANDBY:
        risk = ": after a crash the last rows may be gone" if level == "off" else ""
        return ok(COMMITS, f"synchronous_commit is {level}{risk}")
    connected, synchronous = (await connection.execute(STANDBYS)).one()
    needed, there = needed_standbys(names), synchronous if sees_all else connected
    waits = f"a commit waits for {needed} of synchronous_standby_names = '{names}'"
    if there >= needed:
        seen = "" if sees_all else ", though only a role with pg_read_all_stats sees which"
        return ok(COMMITS, f"{waits}: {there} connected{seen}")
    return problem(
        COMMITS,
        f"{waits}, and {there or 'none'} of them is connected: start the standby, or change that"
        " setting",
    )


def needed_standbys(names: str) -> int:
    """Return how many standbys a value of synchronous_standby_names asks for."""
    counted = re.match(r"\s*(?:FIRST\s+|ANY\s+)?(\d+)\s*\(", names, re.IGNORECASE)
    return int(counted[1]) if counted else 1
