"""How earlier writes ended: when the next one may start, and with how many rows a statement."""

from dataclasses import dataclass

LONGEST_RETRY_SECONDS = 60.0
STATEMENT_TIMEOUT = "57014"
"""The SQLSTATE of a statement that has run into its timeout."""
OF_THE_SERVER = ("08", "28", "3D", "53", "57P")
"""How SQLSTATEs begin that a server has that is lost, full, starting or stopping, or refuses the
login."""
TIMEOUTS_BEFORE_HALVING = 3
REFUSALS_BEFORE_HOLDING = 10
"""Batches in a row. So many bad ones are rather a mistake in the schema than in the data."""
SCHEMA_MISTAKE = (
    "Postgres refused every record of the last {} batches, though all were well formed: the table"
    " or a constraint on it does not fit them. Mend the schema, then retry the dead letters;"
    " until then one batch a minute tries"
)


def is_about_rows(sqlstate: str | None) -> bool:
    """Return whether Postgres answered a statement with a failure that a row may be to blame for.

    Args:
        sqlstate: The SQLSTATE of the failure; None if Postgres named none, as if it is away.
    """
    return sqlstate is not None and not sqlstate.startswith(OF_THE_SERVER)


@dataclass
class Health:
    """Failures in a row. They never decide a verdict, only when and how the next write is tried."""

    failures: int = 0
    """Writes in a row that failed as a whole."""
    statement_timeouts: int = 0
    """Failures in a row that were statement timeouts."""
    refusals: int = 0
    """Batches in a row of which Postgres refused every record."""
    retry_at: float = 0.0
    """When the next write may start, in seconds since the epoch."""
    last_error: str = ""
    """What failed, and what to do about it; empty while all is well."""

    @property
    def is_failing(self) -> bool:
        """Whether one write at a time should probe the database."""
        return self.failures > 0 or self.refusals >= REFUSALS_BEFORE_HOLDING

    def failed(self, message: str, sqlstate: str | None, now: float) -> None:
        """Hold writes after one that failed as a whole, for 1, 2, 4 ... 60 s.

        Args:
            message: What failed, and what to do about it.
            sqlstate: The SQLSTATE, if Postgres named one.
            now: Seconds since the epoch.
        """
        # The exponent is bounded, since days of outage must not overflow the power.
        self.retry_at = now + min(2.0 ** min(self.failures, 10), LONGEST_RETRY_SECONDS)
        self.failures += 1
        timed_out = sqlstate == STATEMENT_TIMEOUT
        self.statement_timeouts = self.statement_timeouts + 1 if timed_out else 0
        self.last_error = f"{message} (SQLSTATE {sqlstate})" if sqlstate else message

    def retry_now(self) -> None:
        """End the hold, so that the next write may start at once."""
        self.retry_at = 0.0

    def wrote(self, now: float, *, all_refused: bool) -> None:
        """End the hold after a write that went through, even if it stored nothing.

        Args:
            now: Seconds since the epoch.
            all_refused: Whether Postgres refused every record. After ten such batches in a row,
                writes are held again.
        """
        self.failures = self.statement_timeouts = 0
        self.retry_at, self.last_error = 0.0, ""
        self.refusals = self.refusals + 1 if all_refused else 0
        if self.refusals >= REFUSALS_BEFORE_HOLDING:
            self.retry_at = now + LONGEST_RETRY_SECONDS
            self.last_error = SCHEMA_MISTAKE.format(self.refusals)

    def rows_per_statement(self, records: int) -> int | None:
        """Return the rows of each INSERT of a batch; None for one INSERT of all rows.

        After the third statement timeout in a row it is half of the batch, after the fourth a
        quarter, and so on.
        """
        halvings = self.statement_timeouts - TIMEOUTS_BEFORE_HALVING + 1
        if halvings < 1:
            return None
        return max(1, records >> min(halvings, 32))
