"""The process of the FastStream peer: a batch subscriber that inserts what it gets.

It stores the same rows as our intake, and has neither verdicts nor dead letters: one bad message
fails its whole batch.
"""

import asyncio
import hashlib
import json
import os
import sys
from uuid import uuid4

import asyncpg
from faststream.redis import RedisBroker, StreamSub

from tools.benchmark.harness.flights import SERIAL

POLL_MILLISECONDS = 10
INSERT = """
INSERT INTO records (idempotency_key, source, line, payload, content_hash, submission_id, position,
                     batch_id, write_path, run_label)
SELECT key, $4, 0, payload::jsonb, hash, key, 0, $5, 'faststream', 'first'
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS sent (key, payload, hash)
ON CONFLICT (idempotency_key) DO NOTHING
"""


async def main(stream: str, batch: int) -> None:
    """Consume a stream until the process is stopped."""
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=2)
    broker = RedisBroker(os.environ["BATCHING_DEMO_QUEUE_URL"], logger=None)
    subscription = StreamSub(
        stream,
        group="peer",
        consumer="1",
        batch=True,
        max_records=batch,
        polling_interval=POLL_MILLISECONDS,
    )

    @broker.subscriber(stream=subscription)  # type: ignore[untyped-decorator]  # not in dev
    async def store(flights: list[dict[str, str]]) -> None:
        keys = [flight[SERIAL] for flight in flights]
        payloads = [json.dumps(flight) for flight in flights]
        hashes = [hashlib.sha256(payload.encode()).digest() for payload in payloads]
        await pool.execute(INSERT, keys, payloads, hashes, stream, uuid4())

    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
