"""Names and routing: task queues, workflow ids, signals, shards."""

import zlib
from enum import StrEnum

MAIN_TASK_QUEUE = "main-workflow-queue"


BATCHER_TASK_QUEUE = "batcher-queue"


DEFAULT_RUN_LABEL = "first"


class WritePath(StrEnum):
    """How prepared records reach Postgres."""

    BATCHED = "batched"
    """Signalled to a batcher workflow, which has whole batches written."""
    UNBATCHED = "unbatched"
    """An activity writes every record by itself; the baseline."""
    COALESCED = "coalesced"
    """An activity, whose worker writes the calls of many workflows together."""


def batcher_workflow_id(shard: int) -> str:
    """Name the batcher workflow of a shard."""
    return f"batcher-{shard}"


def shard_for(key: str, shards: int) -> int:
    """Spread keys over shards, the same way in every process and for ever."""
    return zlib.crc32(key.encode()) % shards


SUBMIT_SIGNAL = "submit"
"""Signal of a batcher; its arguments are list[SubmissionHeader], and bytes: the encoded records of
those submissions joined in that order."""


VERDICTS_SIGNAL = "verdicts"
"""Signal of a requester; its one argument is a list[Verdicts]."""


BUSY_SIGNAL = "busy"
"""Signal of a requester; its one argument is a `Busy`."""


WRITE_ACTIVITIES = {
    WritePath.UNBATCHED: "write_unbatched",
    WritePath.COALESCED: "write_coalesced",
}
"""Activities of the batcher service with the arguments of `submit`; they return list[Verdicts]."""
