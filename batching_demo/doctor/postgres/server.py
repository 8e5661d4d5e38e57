"""Whether the server takes writes, and which characters its database can hold."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.database.encoding import encoding_of
from batching_demo.database.pooler import is_pooled
from batching_demo.database.read_only import read_only
from batching_demo.doctor.check import Check, ok, problem

POSTGRES = "Postgres"
BEST_ENCODING = "UTF8"


async def check_server(connection: AsyncConnection, place: str) -> Check:
    """Check the server at a place, which a problem names."""
    if reason := await connection.run_sync(read_only):
        return problem(POSTGRES, f"{place} is {reason}")
    version = await connection.scalar(text("SELECT current_setting('server_version')"))
    encoding = encoding_of(connection)
    found = f"{place}, server {version}"
    if await is_pooled(connection):
        found += ", through a pooler"
    if encoding.name != BEST_ENCODING:
        found += (
            f", encoding {encoding.name}: a record with characters that it lacks is rejected;"
            f" {BEST_ENCODING} lacks none"
        )
    return ok(POSTGRES, found)
