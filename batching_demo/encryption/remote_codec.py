"""Temporal's protocol of codec servers: a codec over HTTP, for the Web UI and the Temporal CLI."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from batching_demo.contracts.payloads import UndecodableError

LONGEST_BODY_BYTES = 8 * 1024 * 1024
"""Temporal's messages have at most 4 MiB, which base64 makes a third longer."""
HEAD_SECONDS = 30.0
"""After which a connection is closed on which no request line and headers have come."""
BODY_SECONDS = 30.0
SHUTDOWN_SECONDS = 5.0
PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-Namespace",
    "Access-Control-Max-Age": "600",
}
Convert = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]


def build_runner(codec: PayloadCodec, origins: Collection[str], token: str) -> web.AppRunner:
    """Build the server that answers `POST /encode` and `POST /decode`, below any path.

    Errors are plain text: the Web UI would take JSON for payloads.

    Args:
        codec: Encodes and decodes.
        origins: Of the web pages that may ask, as browsers name them. Others are refused, and
            so are pages that reach this server under a name of their own.
        token: Has to be in the header Authorization, behind `Bearer`; empty lets everybody ask.
    """
    app = web.Application(
        middlewares=[_guard(origins, f"Bearer {token}".encode() if token else b"")],
        client_max_size=LONGEST_BODY_BYTES,
    )
    app.on_response_prepare.append(_add_headers(origins))
    # By the protocol only the end of a path counts.
    app.router.add_post("/{above:(.*/)?}encode", _answer_with(codec.encode))
    app.router.add_post("/{above:(.*/)?}decode", _answer_with(codec.decode))
    return web.AppRunner(
        app,
        access_log=None,
        logger=_silent_logger(),
        keepalive_timeout=HEAD_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )


def _silent_logger() -> logging.Logger:
    """Return a logger for aiohttp, which quotes malformed requests, their tokens included."""
    logger = logging.getLogger(f"{__name__}.requests")
    logger.disabled = True
    return logger


def _guard(origins: Collection[str], authorization: bytes) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if origin is not None and origin not in origins:
            return _refusal(403, "this origin may not ask: name it with --origin")
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=PREFLIGHT)
        sent = request.headers.get("Authorization", "").encode(errors="replace")
        if authorization and not hmac.compare_digest(sent, authorization):
            return _refusal(401, "send the header Authorization: Bearer TOKEN")
        return await handler(request)

    return guard


def _add_headers(
    origins: Collection[str],
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def add(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Origin"
        origin = request.headers.get("Origin")
        if origin is not None and origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"

    return add


def _answer_with(convert: Convert) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
            given = Parse(body, Payloads(), ignore_unknown_fields=True)
        except TimeoutError:
            return _refusal(408, f"the body has not come within {BODY_SECONDS:.0f} s")
        except (web.RequestPayloadError, ParseError, UnicodeDecodeError):
            return _refusal(400, "the body is not the JSON of payloads")
        try:
            converted = await convert(given.payloads)
        except UndecodableError as error:
            return _refusal(400, str(error))
        text = MessageToJson(Payloads(payloads=converted), indent=None)
        return web.json_response(text=text)

    return answer


def _refusal(status: int, reason: str) -> web.Response:
    return web.Response(status=status, text=f"{reason}\n")
