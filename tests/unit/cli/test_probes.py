"""What a worker serves beside its work: metrics, and whether it lives and is ready."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import chain, repeat
from socketserver import ThreadingMixIn

import pytest
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from batching_demo.cli.bind_address import read_bind
from batching_demo.cli.telemetry import http_server
from batching_demo.cli.telemetry.http_server import MOST_REQUESTS, TelemetryServer
from batching_demo.cli.telemetry.probes import LONGEST_PAUSE_SECONDS, Probes
from batching_demo.devstack.ports import find_free_port

HEADERS = ("Date", "Content-Type", "Content-Length")
CONTENT_TYPE = "text/plain; version=0.0.4"


def test_a_worker_is_ready_from_its_first_poll_until_it_is_told_to_stop() -> None:
    probes, stop = Probes(), asyncio.Event()
    assert probes.why_not_ready() == "the worker does not poll yet"
    probes.ready_until(stop)
    assert probes.why_not_ready() == ""
    stop.set()
    assert probes.why_not_ready() == "the worker stops"
    assert probes.why_not_alive() == ""


@pytest.mark.parametrize(
    ("pause", "said"),
    [(LONGEST_PAUSE_SECONDS, ""), (31.0, "the event loop has not run for 31 s")],
)
def test_an_event_loop_that_stands_still_is_noticed(pause: float, said: str) -> None:
    times = chain([0.0], repeat(pause))
    assert Probes(lambda: next(times)).why_not_alive() == said


async def test_an_event_loop_that_runs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batching_demo.cli.telemetry.probes.BEAT_SECONDS", 0.0)
    now = 0.0
    probes = Probes(lambda: now)
    now = 100.0
    probes.watch_loop()
    assert probes.why_not_alive() == ""
    now = 200.0
    assert probes.why_not_alive() != ""
    await asyncio.sleep(0.01)
    assert probes.why_not_alive() == ""


class Served:
    """A server on a port of its own, beside a runtime of the SDK with one counter."""

    def __init__(self) -> None:
        self.probes = Probes()
        self.port, sdk_port = find_free_port(), find_free_port()
        address = read_bind(f"localhost:{self.port}", what="metrics", example="")
        config = PrometheusConfig(f"127.0.0.1:{sdk_port}", counters_total_suffix=True)
        self._runtime = Runtime(telemetry=TelemetryConfig(metrics=config))
        self._runtime.metric_meter.create_counter("marked").add(7)
        self.server = TelemetryServer(address, self.probes)
        self.host = str(self.server.server_address[0])
        self.server.start(sdk_port)

    def ask(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        connection = HTTPConnection(self.host, self.port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        try:
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_metrics_of_the_sdk_are_passed_on(served: Served) -> None:
    status, headers, body = served.ask("/metrics")
    assert (status, headers["Content-Type"]) == (200, CONTENT_TYPE)
    assert "marked_total{" in body


def test_probes_have_a_status_and_a_reason(served: Served) -> None:
    assert served.ask("/healthz")[::2] == (200, "ok\n")
    assert served.ask("/readyz")[::2] == (503, "the worker does not poll yet\n")
    served.probes.ready_until(asyncio.Event())
    assert served.ask("/readyz?full=1")[::2] == (200, "ok\n")


def test_only_reading_is_served_and_no_version_is_named(served: Served) -> None:
    with socket.create_connection((served.host, served.port)) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.0\r\n\r\n")
        lines = connection.makefile("rb").read().decode().split("\r\n")
    assert lines[0] == "HTTP/1.0 200 OK"
    assert {line.partition(":")[0] for line in lines[1:]} == {*HEADERS, ""}
    assert lines[-3:] == ["Content-Length: 3", "", ""]
    for method, path, code in (("POST", "/metrics", 501), ("GET", "/", 404)):
        status, headers, body = served.ask(path, method)
        assert status == code
        assert "Python" not in f"{headers}{body}"


def test_silent_connections_make_room_for_a_probe(served: Served) -> None:
    address = (served.host, served.port)
    with ExitStack() as stack:
        oldest, *others = (
            stack.enter_context(socket.create_connection(address)) for _ in range(MOST_REQUESTS)
        )
        assert served.ask("/healthz")[0] == 200
        oldest.settimeout(10)
        assert oldest.recv(1) == b""
        for connection in others:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.0 200 OK")


def test_a_client_that_sends_byte_by_byte_is_ended(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "TIMEOUT_SECONDS", 0.2)
    with socket.create_connection((served.host, served.port)) as slow:
        slow.settimeout(0.1)
        assert any(is_ended(slow) for _ in range(300))


def is_ended(connection: socket.socket) -> bool:
    """Send a byte, and return whether the other side is gone."""
    try:
        connection.sendall(b"x")
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_a_thread_that_cannot_start_takes_no_place(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(ThreadingMixIn, "process_request", refuse)
        for _ in range(MOST_REQUESTS + 1):
            with socket.create_connection((served.host, served.port)) as connection:
                connection.settimeout(10)
                assert connection.recv(1) == b""
    assert served.ask("/healthz")[0] == 200
