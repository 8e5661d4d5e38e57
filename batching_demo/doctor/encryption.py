"""Check under which keys the batcher service's own workflows are encrypted."""

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.identity import DATABASE_WORKFLOW_ID, IDENTITY_MEMO
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import SETTINGS_MEMO
from batching_demo.contracts.payloads import UndecodableError, is_encrypted, key_id_of
from batching_demo.doctor.check import Check, ok, problem, skipped
from batching_demo.encryption.keys import NONE, read_keys
from batching_demo.operator.shards import running_shards
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect
from batching_demo.temporal.executions import find_execution

ENCRYPTION = "encryption"
ANSWER_SECONDS = 10.0


async def check_encryption(settings: Settings) -> list[Check]:
    """Check that the keys decrypt what runs, and show which other keys it needs. Without: nothing.

    A run of a batcher has the settings in its memo, which it encrypts when it begins.
    """
    try:
        if not settings.encryption_keys:
            return []
        async with asyncio.timeout(ANSWER_SECONDS):
            encrypting = read_keys(settings.encryption_keys).encrypting or NONE
            client = await connect(settings)
            others = await _under_other_keys(client, encrypting)
    except UndecodableError as error:
        return [problem(ENCRYPTION, str(error))]
    except (TimeoutError, RPCError, UserError):
        return [skipped(ENCRYPTION, "Temporal")]
    keep = f"; other keys are still needed: {', '.join(others)}" if others else ""
    first = "nothing is encrypted yet" if encrypting == NONE else f"key {encrypting} encrypts"
    return [ok(ENCRYPTION, f"{first}{keep}")]


async def _under_other_keys(client: Client, encrypting: str) -> list[str]:
    """Return which runs began under other keys, each as `key of workflow`."""
    memos = {batcher_workflow_id(shard): SETTINGS_MEMO for shard in await running_shards(client)}
    memos[DATABASE_WORKFLOW_ID] = IDENTITY_MEMO
    found = []
    for workflow_id, name in memos.items():
        key_id = await _key_of(client, workflow_id, name)
        if key_id not in (NONE, encrypting):
            found.append(f"{key_id} of {workflow_id}")
    return found


async def _key_of(client: Client, workflow_id: str, name: str) -> str:
    found = await find_execution(client, workflow_id)
    if found is None:
        return NONE  # No batcher worker has ever polled.
    memo = found.memo
    return key_id_of(memo[name]) if name in memo and is_encrypted(memo[name]) else NONE
