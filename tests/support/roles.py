"""The roles of `batching-demo db roles`, with logins for tests."""

from collections.abc import Sequence

from sqlalchemy import make_url

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.roles.applying import apply, make_plan
from batching_demo.database.roles.names import DEFAULT_PREFIX, Roles
from tests.support.database import execute_at

ROLES = Roles.of_prefix(DEFAULT_PREFIX)
PASSWORD = "of-tests"
LOGINS = dict.fromkeys(ROLES.names, PASSWORD)
"""The password of each role, for a pooler."""


def url_as(url: str, role: str) -> str:
    """Return the URL of a database with one of the roles."""
    changed = make_url(url).set(username=role, password=PASSWORD)
    return changed.render_as_string(hide_password=False)


async def apply_roles(url: str, targets: Sequence[TargetDeclaration] = ()) -> None:
    """Do what `db roles --apply` does."""
    engine = create_transactional_engine(url, application_name="tests")
    async with engine.begin() as connection:
        await apply(connection, await make_plan(connection, ROLES, targets))
    await engine.dispose()


async def let_log_in(url: str, *roles: str) -> None:
    """Give roles a login."""
    await execute_at(url, *(f"ALTER ROLE {role} LOGIN PASSWORD '{PASSWORD}'" for role in roles))
