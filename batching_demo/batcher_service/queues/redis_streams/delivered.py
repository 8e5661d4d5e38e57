"""An entry of a stream, as it was delivered, and the message that it is."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from batching_demo.batcher_service.queues.source import Message


class Delivered(NamedTuple):
    """An entry that was read or claimed."""

    entry_id: bytes
    fields: Mapping[bytes, bytes]
    deliveries: int
    """How often it has been delivered, this time included."""

    def as_message(self, queue: str, body_field: str) -> Message:
        """Return it as a message of a queue. Without the field of the body it has a problem."""
        name = self.entry_id.decode()
        body = self.fields.get(body_field.encode())
        if body is not None:
            return Message(queue, name, body, self.deliveries)
        texts: Any = {
            key.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
            for key, value in self.fields.items()
        }
        problem = f"no_body: the entry has no field {body_field!r}"
        return Message(queue, name, json.dumps(texts).encode(), self.deliveries, problem)
