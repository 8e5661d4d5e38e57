"""`batching-demo intake worker`, which a certain message kills when it is written."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from batching_demo.batcher_service.queues.writer import IntakeWriter
from batching_demo.cli.app import run
from batching_demo.cli.intake import worker
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.queue_servers.stream_client import load_client
from tools.queue_chaos.load import KILLER

# Whoever is forked from here need not import it again.
load_client()


class DeadlyWriter(IntakeWriter):
    """Ends the process as `kill -9` does before it writes the message that kills."""

    async def write(self, batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        """Write a batch, unless the message is in it, and is to be written."""
        if any(one.records == KILLER and not one.header.malformed for one in submissions):
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().write(batch, submissions)


def work(options: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    """Be a worker.

    Args:
        options: Of its command.
        environment: All its variables.
        log: Gets what it says.
    """
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    # The product has no hook for it.
    vars(worker)["IntakeWriter"] = DeadlyWriter
    run(["intake", "worker", *options])
