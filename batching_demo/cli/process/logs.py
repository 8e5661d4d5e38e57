"""The format of log lines: text for people, or JSON objects for programs."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from batching_demo.contracts.names import LOG_FIELDS

TEXT = "%(asctime)s %(levelname)s %(message)s"


class JsonFormatter(logging.Formatter):
    """Format a log record as one JSON object, with the fields and the workflow that it has."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as a line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, LOG_FIELDS, {}),
            **dict(_context()),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(log_format: str) -> None:
    """Log our own lines from INFO on, and those of libraries from WARNING on."""
    logging.basicConfig(level=logging.WARNING, format=TEXT)
    logging.getLogger("batching_demo").setLevel(logging.INFO)
    if log_format == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonFormatter())
        from temporalio import activity, workflow

        # JSON lines carry as fields what these loggers would append to the message.
        workflow.logger.workflow_info_on_message = False
        activity.logger.activity_info_on_message = False


def _context() -> Iterator[tuple[str, object]]:
    from temporalio import activity, workflow

    if activity.in_activity():
        info = activity.info()
        yield "workflow_id", info.workflow_id
        yield "run_id", info.workflow_run_id
        yield "activity_id", info.activity_id
    elif workflow.in_workflow():
        yield "workflow_id", workflow.info().workflow_id
        yield "run_id", workflow.info().run_id
