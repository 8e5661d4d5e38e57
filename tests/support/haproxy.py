"""HAProxy in front of a Temporal server: it encrypts, and asks clients who they are."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from batching_demo.devstack.launch import Log, launch, wait_until
from batching_demo.devstack.ports import HOST, find_free_port
from batching_demo.devstack.processes import stop_processes
from tests.support.certificates import Certificate
from tests.support.debian import HAPROXY

REFUSAL = "who-are-you"
"""What a client reads whose API key is wrong, as a Temporal server would send it."""
CONFIGURATION = """\
defaults
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen by_certificate
    mode tcp
    bind {host}:{by_certificate} ssl crt {own} ca-file {authority} verify required alpn h2
    server temporal {server}
listen by_api_key
    mode http
    bind {host}:{by_api_key} ssl crt {own} alpn h2
    acl known req.hdr(authorization) -m str "Bearer {api_key}"
    http-request return status 200 content-type application/grpc hdr grpc-status 16 \
hdr grpc-message {refusal} unless known
    server temporal {server} proto h2
"""


@contextmanager
def running_haproxy(
    server: str, directory: Path, certificate: Certificate, authority: Path, api_key: str
) -> Iterator[tuple[int, int]]:
    """Run a proxy with two ports.

    Args:
        server: The address of Temporal.
        directory: Gets configuration and log.
        certificate: The proxy's own.
        authority: Whose certificates the clients of the first port must have.
        api_key: The key that the clients of the second port must send.
    """
    own = directory / "haproxy.pem"
    own.write_bytes(certificate.certificate.read_bytes() + certificate.key.read_bytes())
    ports = find_free_port(), find_free_port()
    configuration = directory / "haproxy.cfg"
    configuration.write_text(
        CONFIGURATION.format(
            host=HOST,
            by_certificate=ports[0],
            by_api_key=ports[1],
            own=own,
            authority=authority,
            api_key=api_key,
            refusal=REFUSAL,
            server=server,
        )
    )
    log = Log(directory / "haproxy.log")
    pid = launch([HAPROXY, "-db", "-f", configuration], log)
    try:
        wait_until(lambda: all(map(_listens, ports)), pid, "HAProxy", log)
        yield ports
    finally:
        with suppress(psutil.NoSuchProcess):
            stop_processes([psutil.Process(pid)], (signal.SIGTERM, 5.0))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
