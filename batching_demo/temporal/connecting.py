"""Connect to Temporal."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, PayloadLimitsConfig, Plugin
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

from batching_demo.contracts.errors import UserError
from batching_demo.encryption.plugin import EncryptionPlugin
from batching_demo.settings import Settings, SettingsError
from batching_demo.temporal.client_plugin import load_client_plugin
from batching_demo.temporal.executions import MemoUnreadableError
from batching_demo.temporal.failures import explain
from batching_demo.temporal.namespace_database import find_database
from batching_demo.temporal.target import NAMESPACE, TemporalTarget, choose_temporal

ANSWER_SECONDS = 10.0
KEYS_SECONDS = 3.0
"""For a look at the keys, without which a client works too."""
INVALID = "Invalid headers"
"""What the SDK says of metadata or a key that cannot be sent."""
LONGEST_RETRY_SECONDS = 15.0
LARGE_PAYLOADS = PayloadLimitsConfig(payloads_warn_size=1024 * 1024)
"""The SDK warns of larger payloads; a batcher with a full buffer carries half as much over."""
logger = logging.getLogger(__name__)


class TemporalUnavailableError(UserError):
    """Temporal does not answer; the message names the server and what to do."""


class NamespaceMissingError(TemporalUnavailableError):
    """The server answers, but has no such namespace; somebody may create it later."""

    def __init__(self, target: TemporalTarget) -> None:
        super().__init__(
            f"Temporal has no namespace {target.namespace} at {target.address}"
            f" ({target.namespace_from or target.address_from}): create it with"
            f" `temporal operator namespace create --namespace {target.namespace}"
            f" --address {target.address}`, or set {NAMESPACE}"
        )


async def connect(settings: Settings) -> Client:
    """Connect to the server that `choose_temporal` names.

    Raises:
        SettingsError: A TEMPORAL_* variable or the configuration file is wrong, or the keys, or
            the plugin of the environment.
        TemporalUnavailableError: No server answers there, or it does not have the namespace.
        UndecodableError: The namespace has what the keys cannot decrypt.
    """
    target = choose_temporal(settings)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await _connect(target, _plugins(settings))
    except TimeoutError:
        raise TemporalUnavailableError(
            explain(f"no answer within {ANSWER_SECONDS:.0f} s", target)
        ) from None
    except (RPCError, RuntimeError) as error:
        if INVALID in str(error):
            raise SettingsError(f"Temporal's client configuration: {error}") from None
        raise TemporalUnavailableError(explain(str(error), target)) from None
    except (OverflowError, TypeError, ValueError) as error:
        raise SettingsError(f"Temporal's client configuration: {error}") from None


async def _connect(target: TemporalTarget, plugins: Sequence[Plugin]) -> Client:
    client = await Client.connect(
        **target.config,
        plugins=plugins,
        payload_limits=LARGE_PAYLOADS,
        # Records are deflated already; gzip took a sixth of what a slice costs the server.
        grpc_compression=GrpcCompression.NONE,
    )
    await _check_namespace(client, target)
    await _check_keys(client)
    return client


def _plugins(settings: Settings) -> list[Plugin]:
    """Return the plugins of a client. The keys come last: they keep what the others convert."""
    own = [load_client_plugin(settings.client_plugin)] if settings.client_plugin else []
    return [*own, EncryptionPlugin(settings.encryption_keys)]


async def _check_keys(client: Client) -> None:
    """Check that the keys decrypt what every namespace with a batcher worker has.

    Raises:
        UndecodableError: They do not.
    """
    with suppress(RPCError, MemoUnreadableError, TimeoutError):
        async with asyncio.timeout(KEYS_SECONDS):
            await find_database(client)


async def _check_namespace(client: Client, target: TemporalTarget) -> None:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        await client.workflow_service.describe_namespace(request)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NamespaceMissingError(target) from None
        if error.status is RPCStatusCode.UNAVAILABLE:
            raise
        # Whoever may not look at a namespace may still be allowed to work in it.


async def connect_with_retries(settings: Settings) -> Client:
    """Connect like `connect`; as long as no server answers, log that and try again."""
    pause = 1.0
    while True:
        try:
            return await connect(settings)
        except TemporalUnavailableError as error:
            logger.warning("%s; trying again in %.0f s", error, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)
