"""Turn an order into a record."""

import json
from dataclasses import asdict, dataclass

from temporalio import activity

from batching_demo.contracts.encoding import PreparedRecord, encode_records
from batching_demo.records.json_text import canonical, content_hash, parse_object
from batching_demo.records.rejection import RejectionError


@dataclass(frozen=True)
class Order:
    """What is to be stored."""

    order_id: str
    item: str
    quantity: int


@activity.defn
async def prepare_order(order: Order) -> bytes:
    """Encode the order's record; one that cannot be stored goes to the dead letters."""
    payload = json.dumps(asdict(order))
    try:
        content = canonical(parse_object(payload))
    except RejectionError as rejection:
        return encode_records([PreparedRecord("", 1, payload, b"", str(rejection))])
    record = PreparedRecord(f"order/{order.order_id}", 1, payload, content_hash(payload, content))
    return encode_records([record])
