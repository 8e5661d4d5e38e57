"""The search attributes of workflows, on servers where they are registered."""

import logging
from collections.abc import Container
from datetime import timedelta
from typing import Any

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

SHARD = SearchAttributeKey.for_int("BatchingShard")
"""Search attribute of batchers."""
RUN_LABEL = SearchAttributeKey.for_keyword("BatchingRunLabel")
"""Search attribute of main workflows, as the next one."""
WRITE_PATH = SearchAttributeKey.for_keyword("BatchingWritePath")
KEYS: tuple[SearchAttributeKey[Any], ...] = (SHARD, RUN_LABEL, WRITE_PATH)
LONGEST_KEYWORD = 255
logger = logging.getLogger(__name__)


async def registered_attributes(client: Client) -> frozenset[str]:
    """Return which of our attributes the server knows; none if it does not answer."""
    try:
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=timedelta(seconds=5)
        )
    except RPCError as error:
        logger.debug("no search attributes: %s", error.status.name)
        return frozenset()
    types = {name: int(kind) for name, kind in known.custom_attributes.items()}
    return frozenset(key.name for key in KEYS if types.get(key.name) == key.indexed_value_type)


def attributes(
    registered: Container[str], *pairs: SearchAttributePair[Any]
) -> TypedSearchAttributes | None:
    """Choose the attributes that a workflow may be started with."""
    may = [pair for pair in pairs if pair.key.name in registered and _fits(pair.value)]
    return TypedSearchAttributes(may) if may else None


def _fits(value: object) -> bool:
    return not isinstance(value, str) or len(value) <= LONGEST_KEYWORD
