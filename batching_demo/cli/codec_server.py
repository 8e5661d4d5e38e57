"""`batching-demo codec-server`: show the Web UI and the Temporal CLI what is encrypted."""

import asyncio
import logging
import os
import re
import socket
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click

from batching_demo.cli import options
from batching_demo.cli.bind_address import BindAddress, cannot_listen, read_bind
from batching_demo.contracts.payloads import ENCRYPTION_KEYS
from batching_demo.secret_files import CODEC_TOKEN, find_secret, read_secret_file
from batching_demo.settings import DevStackAddresses, Settings, SettingsError

if TYPE_CHECKING:
    from aiohttp.web import Application

WHAT, DEFAULT_BIND = "codec server", "127.0.0.1:8234"
SHUTDOWN_SECONDS = 5.0
ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:\d+)?")
logger = logging.getLogger(__name__)


def _read_origins(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> list[str]:
    origins = [origin.removesuffix("/").lower() for origin in given]
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise click.BadParameter(
                f"{origin!r} is no origin: write https://HOST or http://HOST:PORT"
            )
    return origins


@click.command("codec-server")
@options.option(
    "--bind",
    variable="CODEC_BIND",
    metavar="HOST:PORT",
    default=DEFAULT_BIND,
    help="Where to listen. Without a token, only addresses that this machine alone reaches.",
)
@options.option(
    "--origin",
    "origins",
    variable="CODEC_ORIGINS",
    multiple=True,
    metavar="ORIGIN",
    callback=_read_origins,
    help="Origin of a Web UI that may ask; may be given several times. [default: the Web UI of"
    " `dev up`]",
)
@options.option(
    "--token-file",
    metavar="FILE",
    help=f"File with the token that every caller has to send. [default: {CODEC_TOKEN}]",
)
@options.quiet_logs
@click.pass_obj
def codec_server(settings: Settings, bind: str, origins: list[str], token_file: str | None) -> None:
    """Decrypt payloads for the Web UI and the Temporal CLI, until it is told to stop.

    It has the keys of BATCHING_DEMO_ENCRYPTION_KEYS, and needs neither Temporal nor Postgres.
    Everybody who reaches it and has the token can decrypt every payload that they have a copy of.

    \b
    Examples:
      batching-demo codec-server
      batching-demo codec-server --bind 0.0.0.0:8234 --token-file /run/secrets/codec-token
      batching-demo codec-server --origin https://temporal.example
    """
    token = _read_token(token_file)
    address = read_bind(bind, what=WHAT, example=DEFAULT_BIND)
    if not (token or address.is_loopback):
        raise SettingsError(
            f"no {WHAT} at {bind}: without a token, others could decrypt payloads there: set"
            f" {CODEC_TOKEN}, or bind to 127.0.0.1"
        )
    app = _build_app(settings, origins or origins_of(settings.devstack), token)
    asyncio.run(_serve(app, address))


def _read_token(file: str | None) -> str:
    token = read_secret_file("--token-file", file) if file else find_secret(os.environ, CODEC_TOKEN)
    if not re.fullmatch(r"[!-~]*", token):
        raise SettingsError(
            f"{'--token-file' if file else CODEC_TOKEN} holds what no header can: write a token of"
            " letters and digits, without spaces"
        )
    return token


def origins_of(devstack: DevStackAddresses | None) -> list[str]:
    """Return the origins of the embedded Web UI, under both names of this machine."""
    if devstack is None:
        return []
    return [devstack.ui_url, devstack.ui_url.replace("127.0.0.1", "localhost")]


def _build_app(settings: Settings, origins: Collection[str], token: str) -> "Application":
    """Build the application, with what is imported only when it is used."""
    if not settings.encryption_keys:
        raise SettingsError(f"the {WHAT} has no keys: set {ENCRYPTION_KEYS}")
    from batching_demo.encryption.codec import EncryptionCodec
    from batching_demo.encryption.keys import read_keys

    codec = EncryptionCodec(read_keys(settings.encryption_keys))
    try:
        from batching_demo.encryption.remote_codec import build_app
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the {WHAT} needs {error.name}: install it with"
            " `pip install 'FOLDER_OF_THE_CLONE[encryption]'`"
        ) from None
    return build_app(codec, origins, token)


async def _serve(app: "Application", address: BindAddress) -> None:
    from aiohttp import web

    from batching_demo.temporal import stop_on_signals

    stop = stop_on_signals()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, _listen(address)).start()
        logger.info("%s at http://%s", WHAT, address.text)
        await stop.wait()
    finally:
        await runner.cleanup()


def _listen(address: BindAddress) -> socket.socket:
    try:
        return socket.create_server((address.host, address.port), family=address.family)
    except OSError as error:
        raise cannot_listen(address, what=WHAT, option="--bind", error=error) from None
