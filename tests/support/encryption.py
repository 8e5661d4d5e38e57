"""Keys for tests, and clients that have them."""

from base64 import b64encode

from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client
from temporalio.service import GrpcCompression

from batching_demo import EncryptionPlugin


def new_key(key_id: str, letter: str = "") -> str:
    """Return an entry of BATCHING_DEMO_ENCRYPTION_KEYS, whose key is made of one letter."""
    return f"{key_id}:{b64encode((letter or key_id).encode() * 32).decode()}"


KEY_A, KEY_B, WRONG_A = new_key("a"), new_key("b"), new_key("a", "x")


async def keyed(client: Client, keys: str) -> Client:
    """Return a client on a connection of its own: one cannot have two workers of a queue."""
    return await Client.connect(
        client.service_client.config.target_host,
        namespace=client.namespace,
        plugins=[EncryptionPlugin(keys)],
        grpc_compression=GrpcCompression.NONE,
    )


async def failed_tasks(client: Client) -> list[str]:
    """Return the workflow ids of all workflow tasks that a worker has failed in a namespace."""
    found = []
    async for execution in client.list_workflows():
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        async for event in handle.fetch_history_events():
            cause = event.workflow_task_failed_event_attributes.cause
            if cause == (
                WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE
            ):
                found.append(execution.id)
    return found
