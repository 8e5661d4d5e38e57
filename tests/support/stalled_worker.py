"""A batcher worker that stands still after its write has been committed, to be killed there.

Arguments: "before" or "after", to stand still before or after the verdicts are sent.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from temporalio.client import Client

from batching_demo.batcher_service import activities
from batching_demo.batcher_service.confirmations import confirm
from batching_demo.batcher_service.worker import build_worker
from batching_demo.contracts.messages import SubmissionHeader, Verdicts
from batching_demo.database.engine import create_engine


async def _confirm_and_stall(
    client: Client, headers: Sequence[SubmissionHeader], answers: Sequence[Verdicts]
) -> Mapping[str, int]:
    if sys.argv[1] == "after":
        await confirm(client, headers, answers)
    sys.stdout.write("stalled\n")
    sys.stdout.flush()
    await asyncio.Event().wait()
    return {}


async def main() -> None:
    activities.confirm = _confirm_and_stall  # type: ignore[attr-defined]  # what it imports
    client = await Client.connect(
        os.environ["TEMPORAL_ADDRESS"], namespace=os.environ["TEMPORAL_NAMESPACE"]
    )
    engine = create_engine(os.environ["DATABASE_URL"], application_name="tests")
    await build_worker(client, engine, pool_size=2).run()


if __name__ == "__main__":
    asyncio.run(main())
