"""Serve metrics and probes over HTTP, in threads beside the event loop of a worker."""

import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import Any

from batching_demo.cli.bind_address import BindAddress
from batching_demo.cli.telemetry.probes import Probes
from batching_demo.devstack.ports import HOST

MOST_REQUESTS = 8
"""At a time, so threads too. Further ones are closed."""
TIMEOUT_SECONDS = 5.0
TEXT = "text/plain; charset=utf-8"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


class TelemetryServer(ThreadingHTTPServer):
    """Listens from the moment that it is made, and answers once it is started.

    Args:
        address: Where it listens.
        probes: Answer `/healthz` and `/readyz`.

    Raises:
        OSError: It cannot listen there.
    """

    daemon_threads = True

    def __init__(self, address: BindAddress, probes: Probes) -> None:
        self.address_family = address.family
        self.pages: dict[str, Callable[[], Answer]] = {
            "/healthz": lambda: _probe(probes.why_not_alive()),
            "/readyz": lambda: _probe(probes.why_not_ready()),
        }
        self._began: dict[socket.socket, float] = {}
        """When each open connection came, by the monotonic clock."""
        super().__init__((address.host, address.port), _Handler)

    def start(self, sdk_port: int) -> None:
        """Answer requests, until `shutdown` is called.

        Args:
            sdk_port: Where the SDK serves its metrics, on the loopback interface.
        """
        self.pages["/metrics"] = partial(_metrics, sdk_port)
        Thread(target=self.serve_forever, name="telemetry", daemon=True).start()

    def server_bind(self) -> None:
        """Bind, without the look-up of a name that HTTPServer makes."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread if there is one free, else close the connection."""
        if len(self._began) < MOST_REQUESTS:
            self._began[request] = time.monotonic()
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, answered or not, and free its thread."""
        self._began.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what takes too long. Otherwise clients that send byte by byte hold all threads."""
        latest = time.monotonic() - TIMEOUT_SECONDS
        for connection, began in list(self._began.items()):
            if began < latest:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log the error of a connection, such as that the client has gone."""
        logger.debug("a request for metrics or a probe failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = TIMEOUT_SECONDS
    server: TelemetryServer

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        answer = page() if page else Answer(HTTPStatus.NOT_FOUND, b"no such page\n")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815  # the name is http.server's

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer, without the versions of this program that the default names."""
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: probes come every few seconds."""


def _probe(problem: str) -> Answer:
    if problem:
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{problem}\n".encode())
    return Answer(HTTPStatus.OK, b"ok\n")


def _metrics(sdk_port: int) -> Answer:
    """Pass on what the SDK serves."""
    connection = HTTPConnection(HOST, sdk_port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException):
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"Temporal's SDK does not answer\n")
    finally:
        connection.close()
    return Answer(HTTPStatus(answer.status), body, answer.headers.get("Content-Type", TEXT))
