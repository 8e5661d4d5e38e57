"""The names of the roles, and names in SQL."""

import re
from dataclasses import astuple, dataclass

from sqlalchemy.dialects.postgresql.base import PGDialect

DEFAULT_PREFIX = "batching"
PREFIX = re.compile(r"(?!pg_)[A-Za-z_][A-Za-z0-9_-]{0,47}")
"""What may begin the names of the roles. Postgres keeps names that begin with pg_ for itself."""
OF_OWNER = "_owner"

# With the default style of parameters it would double each percent sign.
_preparer = PGDialect(paramstyle="named").identifier_preparer  # type: ignore[no-untyped-call]  # SQLAlchemy


@dataclass(frozen=True)
class Roles:
    """The names of the three roles of one installation."""

    owner: str
    """It migrates, and owns the tables."""
    writer: str
    """It does what batcher workers, intake workers and operators' commands do."""
    reader: str
    """It reads."""

    @classmethod
    def of_prefix(cls, prefix: str) -> "Roles":
        """Return the roles whose names begin with a prefix."""
        return cls(f"{prefix}{OF_OWNER}", f"{prefix}_writer", f"{prefix}_reader")

    @classmethod
    def of_owner(cls, owner: str) -> "Roles | None":
        """Return the roles of which one has this name; None if it is no name of an owner."""
        prefix = owner.removesuffix(OF_OWNER)
        return None if prefix == owner else cls.of_prefix(prefix)

    @property
    def names(self) -> tuple[str, ...]:
        """All three."""
        return astuple(self)


def quoted(*names: str) -> str:
    """Return a name as SQL has it, or several with dots between them."""
    return ".".join(map(_preparer.quote, names))
