"""The telemetry of a worker: where it serves metrics, and how its SDK logs."""

import logging
import socket

import click
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
)

from batching_demo.batcher_service.metrics import BUCKETS
from batching_demo.settings import SettingsError

logger = logging.getLogger(__name__)


def start_runtime(metrics_bind: str | None) -> None:
    """Start the runtime that all later clients use.

    Args:
        metrics_bind: HOST:PORT to serve metrics at; None serves none.

    Raises:
        SettingsError: no metrics can be served there.
    """
    as_json = click.get_current_context().find_root().params.get("log_format") == "json"
    if not (metrics_bind or as_json):
        return
    forwarding = LogForwardingConfig(logging.getLogger("temporalio")) if as_json else None
    telemetry = TelemetryConfig(
        logging=LoggingConfig(LoggingConfig.default.filter, forwarding),
        metrics=_prometheus(metrics_bind) if metrics_bind else None,
    )
    try:
        runtime = Runtime(telemetry=telemetry)
    except ValueError as error:
        raise SettingsError(
            f"no metrics at {metrics_bind}: {_cause(error)};"
            " give --metrics-bind an address of this machine and a free port"
        ) from None
    Runtime.set_default(runtime, error_if_already_set=False)
    if metrics_bind:
        logger.info("metrics at http://%s/metrics", metrics_bind)


def _prometheus(bind: str) -> PrometheusConfig:
    return PrometheusConfig(
        _address(bind),
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=BUCKETS,
    )


def _address(bind: str) -> str:
    """Look up the address of a host, because the SDK takes numeric addresses only."""
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and port.isascii() and port.isdecimal() and 1 <= int(port) <= 65_535):
        raise SettingsError(f"no metrics at {bind}: write HOST:PORT, such as 127.0.0.1:9464")
    try:
        (family, *_, found), *_ = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SettingsError(f"no metrics at {bind}: the host {host!r} is not known") from None
    return f"[{found[0]}]:{port}" if family is socket.AF_INET6 else f"{found[0]}:{port}"


def _cause(error: Exception) -> str:
    """Shorten the message of the SDK about a port that it did not get."""
    return str(error).rpartition(": ")[2].partition(" (os error")[0].lower()
