"""`batching-demo intake worker`, which a certain message kills when it is written."""

import os
import signal
import sys
from collections.abc import Sequence

from batching_demo.batcher_service.queues.writer import IntakeWriter
from batching_demo.cli.app import run
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Submission, Verdicts
from tools.queue_chaos.load import KILLER


class DeadlyWriter(IntakeWriter):
    """Ends the process as `kill -9` does before it writes the message that kills."""

    async def write(self, batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Write a batch, unless the message is in it, and is to be written."""
        if any(one.records == KILLER and not one.header.malformed for one in submissions):
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().write(batch, submissions)


if __name__ == "__main__":
    from batching_demo.cli.intake import worker

    # The product has no hook for it.
    vars(worker)["IntakeWriter"] = DeadlyWriter
    run(["intake", "worker", *sys.argv[1:]])
