"""The format of log lines: text for people, or JSON objects for programs."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from batching_demo.contracts.names import LOG_FIELDS
from batching_demo.contracts.payloads import UndecodableError

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
    for handler in logging.getLogger().handlers:
        handler.addFilter(without_tracebacks_about_keys)
        if log_format == "json":
            handler.setFormatter(JsonFormatter())
    if log_format == "json":
        from temporalio import activity, workflow

        # JSON lines carry as fields what these loggers would append to the message.
        workflow.logger.workflow_info_on_message = False
        activity.logger.activity_info_on_message = False


def without_tracebacks_about_keys(record: logging.LogRecord) -> bool:
    """Have the SDK log a key that is missing or wrong in one line, for each task that needs it."""
    error = record.exc_info[1] if record.exc_info else None
    while error is not None and not isinstance(error, UndecodableError):
        error = error.__cause__ or error.__context__
    if error is not None:
        record.msg, record.args = f"{record.getMessage()}: {error}", ()
        record.exc_info = record.exc_text = None
    return True


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
