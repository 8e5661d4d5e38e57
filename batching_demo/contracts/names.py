"""The names by which the services find each other, and the shard of a key."""

import zlib
from enum import StrEnum

MAIN_TASK_QUEUE = "main-workflow-queue"
BATCHER_TASK_QUEUE = "batcher-queue"

MAIN_WORKFLOW = "MainWorkflow"
BATCHER_WORKFLOW = "BatcherWorkflow"
RETRY_WORKFLOW = "RetryWorkflow"

SUBMIT_SIGNAL = "submit"
"""Signal of a batcher. Its arguments are a list[SubmissionHeader], and bytes: the encoded records
of these submissions, joined in this order."""
WAKE_SIGNAL = "batching_wake"
"""Signal of a workflow of the batcher service, without arguments. It only has the workflow look
whether another version of the workers is to go on with it."""
VERDICTS_SIGNAL = "batching_verdicts"
"""Signal of a requester. Its one argument is a list[Verdicts]."""
BUSY_SIGNAL = "batching_busy"
"""Signal of a requester. Its one argument is a `Busy`."""

BUSY_ANSWERS = "batching_busy_answers"
"""Metric of submissions that were answered busy, by a batcher or by a queue without memory."""
LOG_FIELDS = "fields"
"""Attribute of a log record, a dict. `--log-format json` adds its items to the line."""
DEFAULT_RUN_LABEL = "first"
"""The run label of records that nobody has given another one."""
COMMON_SHARD = 0
"""The shard that every set of batchers has. It takes the submissions of shards that do not run: any
shard may write any key."""


class WritePath(StrEnum):
    """How prepared records reach Postgres."""

    BATCHED = "batched"
    """A signal takes them to a batcher workflow, which has whole batches written."""
    UNBATCHED = "unbatched"
    """An activity writes each record with its own INSERT and commit. This is the baseline."""
    COALESCED = "coalesced"
    """An activity takes them to a batcher worker, which writes many calls together."""
    QUEUED = "queued"
    """A queue takes them to a batcher worker, which writes many messages together."""


DIRECT = "direct"
"""The path of clients without a workflow: an activity that they run takes records to a batcher
worker, which writes those of many together. No workflow can take it, so it is no `WritePath`."""

WRITE_ACTIVITIES = {
    WritePath.UNBATCHED: "write_unbatched",
    WritePath.COALESCED: "write_coalesced",
}
"""Activities of the batcher service that write on the paths without a batcher. They take the
arguments of `SUBMIT_SIGNAL` and return a list[Verdicts]."""


def batcher_workflow_id(shard: int) -> str:
    """Return the workflow id of a shard's batcher."""
    return f"batcher-{shard}"


def shard_for(key: str, shards: int) -> int:
    """Return the shard of a text such as a key, the same in every process and for ever."""
    return zlib.crc32(key.encode()) % shards
