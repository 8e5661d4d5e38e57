"""What is known of earlier writes: when the next one may start, and how it is cut."""

from dataclasses import dataclass

LONGEST_RETRY_SECONDS = 60.0
STATEMENT_TIMEOUT = "57014"
TIMEOUTS_BEFORE_HALVING = 3
REFUSALS_BEFORE_HOLDING = 10
SCHEMA_MISTAKE = (
    "Postgres refused every record of the last {} batches, though all were well formed: the table"
    " or a constraint on it does not fit them. Mend the schema, then retry the dead letters;"
    " until then one batch a minute tries"
)


@dataclass
class Health:
    """Consecutive failures. They never decide a verdict, only when a write is tried."""

    failures: int = 0
    statement_timeouts: int = 0
    """How many of the latest failures in a row ran into the statement timeout."""
    refusals: int = 0
    """Batches in a row of which Postgres refused every record."""
    retry_at: float = 0.0
    """Seconds since the epoch before which no write starts."""
    last_error: str = ""

    @property
    def is_failing(self) -> bool:
        """Whether one write at a time should probe the database."""
        return self.failures > 0 or self.refusals >= REFUSALS_BEFORE_HOLDING

    def failed(self, message: str, sqlstate: str | None, now: float) -> None:
        """Hold writes after one that failed as a whole, for 1, 2, 4 ... 60 s."""
        # Bounded before it is a power: days of outage must not overflow.
        self.retry_at = now + min(2.0 ** min(self.failures, 10), LONGEST_RETRY_SECONDS)
        self.failures += 1
        timed_out = sqlstate == STATEMENT_TIMEOUT
        self.statement_timeouts = self.statement_timeouts + 1 if timed_out else 0
        self.last_error = f"{message} (SQLSTATE {sqlstate})" if sqlstate else message

    def retry_now(self) -> None:
        """Let the next write be tried at once."""
        self.retry_at = 0.0

    def wrote(self, now: float, *, all_refused: bool) -> None:
        """End the hold after a write that went through, even if it stored nothing."""
        self.failures = self.statement_timeouts = 0
        self.retry_at, self.last_error = 0.0, ""
        self.refusals = self.refusals + 1 if all_refused else 0
        if self.refusals >= REFUSALS_BEFORE_HOLDING:
            self.retry_at = now + LONGEST_RETRY_SECONDS
            self.last_error = SCHEMA_MISTAKE.format(self.refusals)

    def rows_per_statement(self, records: int) -> int | None:
        """Return the rows of a statement where batches keep running into the statement timeout.

        From the third timeout on it is half of the batch, then a quarter and so on.
        """
        halvings = self.statement_timeouts - TIMEOUTS_BEFORE_HALVING + 1
        if halvings < 1:
            return None
        return max(1, records >> min(halvings, 32))
