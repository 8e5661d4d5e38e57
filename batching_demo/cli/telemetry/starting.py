"""Start the telemetry of a worker: its metrics and probes, and how its SDK logs."""

import logging

import click
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
)

from batching_demo.batcher_service.metrics import BUCKETS
from batching_demo.cli.bind_address import cannot_listen, read_bind
from batching_demo.cli.telemetry.http_server import TelemetryServer
from batching_demo.cli.telemetry.probes import Probes
from batching_demo.devstack.ports import HOST, find_free_port
from batching_demo.settings import SettingsError

WHAT, OPTION = "metrics", "--metrics-bind"
TRIES = 5
logger = logging.getLogger(__name__)


def start_telemetry(metrics_bind: str | None) -> Probes:
    """Start the runtime that all later clients use, and serve its metrics and the probes.

    Args:
        metrics_bind: HOST:PORT to serve them at until the process ends; None serves nothing.

    Returns:
        The probes, for the worker to say how it does.

    Raises:
        SettingsError: Nothing can be served there.
    """
    probes = Probes()
    as_json = click.get_current_context().find_root().params.get("log_format") == "json"
    if metrics_bind:
        server = _listen(metrics_bind, probes)
        server.start(_start_measured_runtime(as_json=as_json))
        logger.info("metrics at http://%s/metrics", metrics_bind)
    elif as_json:
        _start_runtime(None, as_json=as_json)
    return probes


def _listen(bind: str, probes: Probes) -> TelemetryServer:
    address = read_bind(bind, what=WHAT, example="127.0.0.1:9464")
    try:
        return TelemetryServer(address, probes)
    except OSError as error:
        raise cannot_listen(address, what=WHAT, option=OPTION, error=error) from None


def _start_measured_runtime(*, as_json: bool) -> int:
    """Start a runtime that serves metrics on the loopback interface, and return its port.

    The SDK has no page but that of its metrics, so a server of ours passes them on.
    """
    for _ in range(TRIES):
        port = find_free_port()
        try:
            _start_runtime(port, as_json=as_json)
        except ValueError:
            continue  # Another program has taken the port meanwhile.
        return port
    raise SettingsError(f"no {WHAT}: no port of {HOST} stays free; start the worker again")


def _start_runtime(port: int | None, *, as_json: bool) -> None:
    forwarding = LogForwardingConfig(logging.getLogger("temporalio")) if as_json else None
    telemetry = TelemetryConfig(
        logging=LoggingConfig(LoggingConfig.default.filter, forwarding),
        metrics=_prometheus(port) if port else None,
    )
    Runtime.set_default(Runtime(telemetry=telemetry), error_if_already_set=False)


def _prometheus(port: int) -> PrometheusConfig:
    return PrometheusConfig(
        f"{HOST}:{port}",
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=BUCKETS,
    )
