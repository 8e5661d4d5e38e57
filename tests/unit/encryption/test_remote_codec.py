"""The protocol of codec servers, and who may use it."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web
from temporalio.converter import DataConverter

from batching_demo.encryption import remote_codec
from batching_demo.encryption.codec import EncryptionCodec
from batching_demo.encryption.keys import read_keys
from batching_demo.encryption.remote_codec import LONGEST_BODY_BYTES, build_runner

UI, OTHER, TOKEN = "https://temporal.example", "https://evil.example", "hunter2"
KEYS = f"a:{base64.b64encode(bytes(32)).decode()}"
OTHERS = f"b:{base64.b64encode(bytes(range(32))).decode()}"


def body(*payloads: Any) -> bytes:
    """Return the JSON of payloads, as the Web UI and the CLI send it."""
    encoded = [
        {
            "metadata": {k: base64.b64encode(v).decode() for k, v in payload.metadata.items()},
            "data": base64.b64encode(payload.data).decode(),
        }
        for payload in payloads
    ]
    return json.dumps({"payloads": encoded}).encode()


async def encrypted(value: object, keys: str = KEYS) -> bytes:
    plain = DataConverter.default.payload_converter.to_payloads([value])
    return body(*await EncryptionCodec(read_keys(keys)).encode(plain))


class Server:
    """A codec server, and requests to it with the token."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self._url, self._session = url, session

    async def ask(
        self, path: str, data: bytes | BytesIO = b"", *, method: str = "POST", **headers: str
    ) -> tuple[ClientResponse, str]:
        sent = {"Authorization": f"Bearer {TOKEN}", **headers}
        request = self._session.request(method, f"{self._url}{path}", data=data, headers=sent)
        async with request as answer:
            return answer, await answer.text()

    async def decoded(self, data: bytes) -> list[object]:
        answer, text = await self.ask("/decode", data)
        assert (answer.status, answer.content_type) == (200, "application/json"), text
        payloads = json.loads(text)["payloads"]
        return [json.loads(base64.b64decode(payload["data"])) for payload in payloads]


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """Run a codec server, and yield its port."""
    runner = build_runner(EncryptionCodec(read_keys(KEYS)), [UI], TOKEN)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    try:
        yield listening.getsockname()[1]
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Server]:
    async with serving() as port, ClientSession() as session:
        yield Server(f"http://127.0.0.1:{port}", session)


async def sent_as_it_is(port: int, data: bytes) -> bytes:
    """Return the first line of the answer; nothing if the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.readline()
    writer.close()
    return answer


async def test_what_is_encoded_is_decoded_again(server: Server) -> None:
    plain = DataConverter.default.payload_converter.to_payloads(["marker", 1])
    answer, text = await server.ask("/encode", body(*plain))
    assert answer.status == 200
    assert base64.b64encode(b'"marker"').decode() not in text
    assert await server.decoded(text.encode()) == ["marker", 1]


async def test_what_is_not_encrypted_stays_as_it_is(server: Server) -> None:
    plain = DataConverter.default.payload_converter.to_payloads(["marker"])
    assert await server.decoded(body(*plain)) == ["marker"]


async def test_it_may_be_reached_below_a_path(server: Server) -> None:
    answer, _ = await server.ask("/codecs/orders/decode", await encrypted("marker"))
    assert answer.status == 200


async def test_a_payload_under_another_key_is_one_line(server: Server) -> None:
    answer, text = await server.ask("/decode", await encrypted("marker", OTHERS))
    assert (answer.status, answer.content_type) == (400, "text/plain")
    assert "key 'b'" in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("data", [b"", b"hunter2", b"\xff", b"[1]", b'{"payloads": [{"data": 1}]}'])
async def test_a_body_of_something_else_is_one_line(server: Server, data: bytes) -> None:
    answer, text = await server.ask("/decode", data)
    assert (answer.status, text) == (400, "the body is not the JSON of payloads\n")


async def test_a_body_that_is_not_compressed_as_it_says(server: Server) -> None:
    answer, text = await server.ask("/decode", b"hunter2", **{"Content-Encoding": "gzip"})
    assert (answer.status, text) == (400, "the body is not the JSON of payloads\n")


async def test_a_slow_request_does_not_keep_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "SHUTDOWN_SECONDS"):
        monkeypatch.setattr(remote_codec, name, 0.1)
    head = f"POST /decode HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    async with serving() as port:
        assert await sent_as_it_is(port, head.encode()) == b""
        slow = f"{head}Content-Length: 9\r\n\r\n".encode()
        assert await sent_as_it_is(port, slow) == b"HTTP/1.1 408 Request Timeout\r\n"


@pytest.mark.parametrize("line", ["Authorization : Bearer hunter2", "Authorization: hunter2\x01"])
async def test_no_request_is_logged(caplog: pytest.LogCaptureFixture, line: str) -> None:
    async with serving() as port:
        answer = await sent_as_it_is(port, f"POST /decode HTTP/1.1\r\n{line}\r\n\r\n".encode())
    assert b" 400 " in answer
    assert not caplog.records


async def test_a_body_has_a_longest_length(server: Server) -> None:
    answer, _ = await server.ask("/decode", BytesIO(b" " * (LONGEST_BODY_BYTES + 1)))
    assert answer.status == 413


@pytest.mark.parametrize("sent", ["", TOKEN, f"Bearer {TOKEN}2", "Bearer é"])
async def test_without_the_token_nothing_is_decoded(server: Server, sent: str) -> None:
    answer, text = await server.ask("/decode", await encrypted("marker"), Authorization=sent)
    assert (answer.status, text) == (401, "send the header Authorization: Bearer TOKEN\n")


async def test_a_web_ui_that_is_named_may_ask(server: Server) -> None:
    answer, _ = await server.ask("/decode", method="OPTIONS", Origin=UI, Authorization="")
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == UI
    assert "X-Namespace" in answer.headers["Access-Control-Allow-Headers"]
    data = await encrypted("marker")
    for authorization, status in ((f"Bearer {TOKEN}", 200), ("", 401)):
        answer, _ = await server.ask("/decode", data, Origin=UI, Authorization=authorization)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (status, UI)
        assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("no-store", "Origin")


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
async def test_other_pages_may_not_ask(server: Server, method: str) -> None:
    data = await encrypted("marker")
    answer, text = await server.ask("/decode", data, method=method, Origin=OTHER)
    assert (answer.status, text) == (403, "this origin may not ask: name it with --origin\n")
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 404),
        ("POST", "/undecode", 404),
        ("POST", "/decode/a", 404),
        ("GET", "/decode", 405),
    ],
)
async def test_nothing_else_is_served(server: Server, method: str, path: str, status: int) -> None:
    answer, text = await server.ask(path, method=method)
    assert answer.status == status
    assert "Server" not in answer.headers
    assert "aiohttp" not in text
