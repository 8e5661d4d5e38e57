"""The Temporal CLI reads encrypted payloads through a codec server."""

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.converter import DataConverter

from batching_demo.cli.codec_server import origins_of, read_origin
from batching_demo.devstack.installation import find_temporal
from batching_demo.devstack.ports import find_free_port
from batching_demo.encryption.converter import with_keys
from batching_demo.encryption.keys import read_keys
from batching_demo.settings import DevStackAddresses
from tests.support.commands import assert_one_line, run
from tests.support.processes import start_process
from tests.support.scraping import probe
from tests.support.waiting import eventually

KEYS = f"a:{base64.b64encode(os.urandom(32)).decode()}"
MARKER, TOKEN = "what-only-the-codec-shows", "hunter2" * 3


async def shown(client: Client, *arguments: str) -> str:
    """Return a history as the Temporal CLI shows it."""
    process = await asyncio.create_subprocess_exec(
        *(find_temporal(), "workflow", "show", "--workflow-id", "hidden", "--detailed"),
        *("--address", client.service_client.config.target_host, "--namespace", client.namespace),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


@asynccontextmanager
async def codec_server(directory: Path) -> AsyncIterator[str]:
    """Run a codec server with its secrets in files, and stop it in the end."""
    address = f"127.0.0.1:{find_free_port()}"
    for name, secret in (("keys", KEYS), ("token", TOKEN)):
        (directory / name).write_text(f"{secret}\n")
    environment = {
        "XDG_STATE_HOME": str(directory),
        "BATCHING_DEMO_ENCRYPTION_KEYS_FILE": str(directory / "keys"),
        "BATCHING_DEMO_CODEC_TOKEN_FILE": str(directory / "token"),
    }
    command = ("-m", "batching_demo", "codec-server", "--bind", address)
    process = await start_process(environment, *command)

    async def listens() -> None:
        assert process.returncode is None
        assert (await probe(address, "/"))[0] == 401

    try:
        await eventually(listens)
        yield address
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        output, _ = await process.communicate()
    assert process.returncode == 0, output
    assert TOKEN not in output.decode()


async def test_the_temporal_cli_shows_what_is_encrypted(client: Client, tmp_path: Path) -> None:
    converter = with_keys(DataConverter.default, read_keys(KEYS))
    hiding = Client(client.service_client, namespace=client.namespace, data_converter=converter)
    await hiding.start_workflow("NoWorker", MARKER, id="hidden", task_queue="nobody-polls")
    async with codec_server(tmp_path) as address:
        codec = ("--codec-endpoint", f"http://{address}", "--codec-auth", f"Bearer {TOKEN}")
        assert MARKER in await shown(client, *codec)
        assert MARKER not in await shown(client)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--bind", "0.0.0.0:8234"), "without a token, others could decrypt payloads there"),
        (("--bind", "8234"), "write HOST:PORT, such as 127.0.0.1:8234"),
        (("--token-file", "/absent"), "--token-file: cannot read /absent"),
        ((), "has no keys: set BATCHING_DEMO_ENCRYPTION_KEYS"),
    ],
)
def test_a_codec_server_that_cannot_work_says_why(arguments: tuple[str, ...], said: str) -> None:
    assert_one_line(run("codec-server", *arguments), 1, said)


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("hunter2", "has 7 characters, not 16 to 4096"),
        ("hunter2" * 600, "has 4,200 characters, not 16 to 4096"),
        ("hunter2 hunter2 hunter2", "holds what no header can"),
    ],
)
def test_a_token_cannot_be_guessed_and_can_be_sent(
    monkeypatch: pytest.MonkeyPatch, token: str, said: str
) -> None:
    monkeypatch.setenv("BATCHING_DEMO_CODEC_TOKEN", token)
    assert_one_line(run("codec-server"), 1, f"BATCHING_DEMO_CODEC_TOKEN {said}")


@pytest.mark.parametrize(
    ("given", "as_browsers_write_it"),
    [
        ("https://Temporal.example:443/", "https://temporal.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://temporal.example:80", "https://temporal.example:80"),
    ],
)
def test_an_origin_may_name_a_default_port(given: str, as_browsers_write_it: str) -> None:
    assert read_origin(given) == as_browsers_write_it


def test_origins_are_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHING_DEMO_CODEC_ORIGINS", "https://temporal.example/ *")
    assert_one_line(run("codec-server"), 2, "'*' is no origin")


def test_the_embedded_web_ui_may_ask_under_both_names_of_its_machine() -> None:
    embedded = DevStackAddresses(
        database_url="", temporal_address="", ui_url="http://127.0.0.1:8233"
    )
    assert origins_of(embedded) == ["http://127.0.0.1:8233", "http://localhost:8233"]
    assert origins_of(None) == []
