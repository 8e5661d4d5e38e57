"""What is left after a run, and what of it should not be."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import text

from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.database.engine import create_engine

APPLICATION = "batching-demo queue chaos"


@dataclass
class Result:
    """What is left after a run."""

    good: int
    """The good messages that were sent."""
    expected_letters: Mapping[str, int]
    """The dead letters that there should be, by reason."""
    rows: int = 0
    distinct: int = 0
    """The different messages among the rows."""
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    left: QueueStatus | None = None
    given_up: int = 0
    """Messages in the dead-letter queue of SQS."""
    deaths: int = 0
    """How often a consumer ended by itself."""
    done: Mapping[str, int] = field(default_factory=dict)
    """How often the run has done what to the servers and the consumers."""

    @property
    def problems(self) -> list[str]:
        """What does not hold."""
        expected = dict(self.expected_letters)
        checks = {
            f"{self.rows} rows of {self.good} good messages": self.rows == self.good,
            f"{self.distinct} different rows": self.distinct == self.good,
            f"dead letters {dict(self.dead_letters)}, not {expected}": self.dead_letters
            == expected,
            f"on the queue: {self.left}": self.left is not None
            and self.left.length == self.left.pending == 0,
            f"{self.given_up} messages in the dead-letter queue of SQS": not self.given_up,
        }
        return [said for said, holds in checks.items() if not holds]

    async def count(self, database_url: str) -> None:
        """Count what is stored."""
        engine = create_engine(database_url, application_name=APPLICATION)
        try:
            async with engine.connect() as connection:
                counted = await connection.execute(
                    text("SELECT count(*), count(DISTINCT payload->>'n') FROM records")
                )
                self.rows, self.distinct = counted.one()
                # Equal messages without a key of their own are told apart by their identity.
                letters = await connection.execute(
                    text("SELECT reason, count(*) FROM dead_letters GROUP BY reason")
                )
                self.dead_letters = {str(reason): int(number) for reason, number in letters}
        finally:
            await engine.dispose()
