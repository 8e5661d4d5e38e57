"""The options that say which queue."""

from typing import Any

from batching_demo.batcher_service.queues.redis_streams.options import StreamOptions
from batching_demo.cli import options

ADDRESS = "ADDRESS"


def queue(name: str, **attributes: Any) -> options.Decorator[Any]:
    """Declare the option that names the queue."""
    return options.option(
        name,
        "queue",
        required=True,
        metavar=ADDRESS,
        help="The queue: redis://HOST:PORT/DB/STREAM, with USER:PASSWORD@ before the host if need"
        " be, rediss:// for TLS; or the URL of an SQS queue with sqs:// in place of https://.",
        **attributes,
    )


from_queue = queue("--from", variable="INTAKE_FROM")
group = options.option(
    "--group",
    variable="INTAKE_GROUP",
    default=StreamOptions.group,
    help="The consumer group. All workers of a group share the messages.",
)
endpoint_url = options.option(
    "--endpoint-url",
    variable="INTAKE_ENDPOINT_URL",
    metavar="URL",
    help="Where to reach SQS. [default: the host of the queue]",
)
body = options.option(
    "--body",
    "body_field",
    variable="INTAKE_BODY",
    metavar="FIELD",
    default=StreamOptions.body_field,
    help="The field of an entry that holds the JSON object.",
)
