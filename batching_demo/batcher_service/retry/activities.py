"""Read a dead letter for its retry, and record in it what came of that."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.batcher_service.failures import database_failures_reported
from batching_demo.batcher_service.identity.guard import IdentityGuard
from batching_demo.batcher_service.retry.record import RetryRefusedError, record_again
from batching_demo.contracts.encoding import decode_records, encode_records, pack
from batching_demo.contracts.messages import (
    VERDICT_BY_CODE,
    Submission,
    SubmissionHeader,
    Verdicts,
)
from batching_demo.contracts.retries import (
    PREPARE_RETRY,
    RECORD_RETRY,
    RetryInput,
    RetryResult,
)
from batching_demo.database.dead_letters.queries import (
    find_by_identity,
    read_dead_letter,
    record_attempt,
)
from batching_demo.database.dead_letters.storing import dead_letter_identity
from batching_demo.database.errors import database_errors

logger = logging.getLogger(__name__)


class RetryActivities:
    """The activities of a retry.

    Args:
        engine: Of the database with the dead letters.
        guard: Knows the identity of that database.
    """

    def __init__(self, engine: AsyncEngine, guard: IdentityGuard) -> None:
        self._engine = engine
        self._guard = guard

    @activity.defn(name=PREPARE_RETRY)
    async def prepare_retry(self, retry_input: RetryInput, edited: bytes) -> bytes:
        """Return the packed submission of a dead letter's record.

        Args:
            retry_input: Which dead letter, and its key.
            edited: A corrected payload; empty for the record as it is kept.
        """
        dead_letter_id = retry_input.dead_letter_id
        with _explained():
            await self._check_database(retry_input)
            found = await read_dead_letter(self._engine, dead_letter_id)
            if found is None:
                raise RetryRefusedError(f"there is no dead letter {dead_letter_id}")
            letter, kept = found
            record = record_again(
                letter, kept, key=retry_input.key, edited=edited.decode() if edited else None
            )
        records = encode_records([record])
        header = SubmissionHeader(
            submission_id=retry_input.submission_id,
            requester=activity.info().workflow_id or "",
            records=1,
            length=len(records),
            source=letter.source,
            run_label=letter.run_label,
            target=letter.target,
        )
        return pack([Submission(header, records)])

    @activity.defn(name=RECORD_RETRY)
    async def record_retry(
        self, retry_input: RetryInput, answer: Verdicts, records: bytes
    ) -> RetryResult:
        """Record the verdict; of a record that was not stored, find its own dead letter.

        Args:
            retry_input: Which attempt at which dead letter.
            answer: To its submission.
            records: Of the submission; needed only if it was not stored.
        """
        result = RetryResult(VERDICT_BY_CODE[answer.codes], answer.batch_id)
        # One that is stored may have a problem too: what it returns does not fit.
        problem = next(iter(answer.problems), None) if result.verdict.is_dead_letter else None
        dead_letter_id, attempt = retry_input.dead_letter_id, retry_input.attempt
        with _explained():
            await self._check_database(retry_input)
            is_done = not result.verdict.is_dead_letter
            await record_attempt(self._engine, dead_letter_id, attempt, is_done=is_done)
            if problem:
                result = RetryResult(
                    verdict=result.verdict,
                    batch_id=answer.batch_id,
                    reason=problem.reason,
                    detail=problem.detail,
                    sqlstate=problem.sqlstate,
                    kept_as=await self._find(dead_letter_id, problem.reason, records),
                )
        logger.info("dead letter %d attempt %d: %s", dead_letter_id, attempt, result.verdict.value)
        return result

    async def _check_database(self, retry_input: RetryInput) -> None:
        """Refuse a dead letter of another database, which has one of the same number."""
        found = await self._guard.look()
        if retry_input.database not in ("", found):
            raise RetryRefusedError(
                f"dead letter {retry_input.dead_letter_id} is in database {retry_input.database},"
                f" and the batcher worker writes to database {found}"
            )

    async def _find(self, dead_letter_id: int, reason: str, records: bytes) -> int | None:
        """Return the id of the dead letter that now keeps what was submitted."""
        found = await read_dead_letter(self._engine, dead_letter_id)
        if found is None:
            return None
        letter, columns = found[0], decode_records(records)
        sought = dead_letter_identity(
            reason,
            columns.keys[0],
            columns.payloads[0],
            source=letter.source,
            line=letter.line,
            target=letter.target,
        )
        return await find_by_identity(self._engine, sought)


@contextmanager
def _explained() -> Iterator[None]:
    """Report failures without record contents; only the database's are worth another attempt."""
    try:
        with database_failures_reported(), database_errors():
            yield
    except RetryRefusedError as refusal:
        logger.warning("cannot retry: %s", refusal)
        raise ApplicationError(
            str(refusal),
            type="Refused",
            non_retryable=True,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
