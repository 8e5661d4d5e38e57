"""Types as Postgres names them."""

from typing import Any

from sqlalchemy.types import UserDefinedType


class SqlType(UserDefinedType[Any]):
    """A type that is written into SQL as Postgres names it.

    Args:
        name: As `format_type` of Postgres returns it.
    """

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return self.name
