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
from batching_demo.cli.process.quiet import quiet_logs_option
from batching_demo.contracts.counts import count
from batching_demo.contracts.payloads import ENCRYPTION_KEYS
from batching_demo.secret_files import CODEC_TOKEN, find_secret, read_secret_file
from batching_demo.settings import DevStackAddresses, Settings, SettingsError

if TYPE_CHECKING:
    from aiohttp.web import AppRunner

WHAT, DEFAULT_BIND = "codec server", "127.0.0.1:8234"
ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:\d+)?")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
TOKEN = re.compile(r"[!-~]*")
TOKEN_LENGTHS = range(16, 4097)
"""A shorter one can be guessed, and a longer one fits into no header."""
logger = logging.getLogger(__name__)


def _read_origins(_ctx: click.Context, _param: click.Parameter, given: Sequence[str]) -> list[str]:
    return [read_origin(origin) for origin in given]


def read_origin(given: str) -> str:
    """Return an origin as browsers write it, without a default port.

    Raises:
        BadParameter: It is none.
    """
    origin = given.removesuffix("/").lower()
    found = ORIGIN.fullmatch(origin)
    if not found:
        raise click.BadParameter(f"{origin!r} is no origin: write https://HOST or http://HOST:PORT")
    return origin.removesuffix(DEFAULT_PORTS[found[1]])


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
@quiet_logs_option
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
    runner = _build_runner(settings, origins or origins_of(settings.devstack), token)
    asyncio.run(_serve(runner, address))


def _read_token(file: str | None) -> str:
    token = read_secret_file("--token-file", file) if file else find_secret(os.environ, CODEC_TOKEN)
    name = "--token-file" if file else CODEC_TOKEN
    if not TOKEN.fullmatch(token):
        raise SettingsError(
            f"{name} holds what no header can: write a token of letters and digits, without spaces"
        )
    if token and len(token) not in TOKEN_LENGTHS:
        raise SettingsError(
            f"{name} has {count(len(token), 'character')}, not {TOKEN_LENGTHS[0]} to"
            f" {TOKEN_LENGTHS[-1]}: make a token with `openssl rand -hex 32`"
        )
    return token


def origins_of(devstack: DevStackAddresses | None) -> list[str]:
    """Return the origins of the embedded Web UI, under both names of this machine."""
    if devstack is None:
        return []
    return [devstack.ui_url, devstack.ui_url.replace("127.0.0.1", "localhost")]


def _build_runner(settings: Settings, origins: Collection[str], token: str) -> "AppRunner":
    """Build the server, with what is imported only when it is used."""
    if not settings.encryption_keys:
        raise SettingsError(f"the {WHAT} has no keys: set {ENCRYPTION_KEYS}")
    from batching_demo.encryption.codec import EncryptionCodec
    from batching_demo.encryption.keys import read_keys

    codec = EncryptionCodec(read_keys(settings.encryption_keys))
    try:
        from batching_demo.encryption.remote_codec import build_runner
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the {WHAT} needs {error.name}: install it with"
            " `pip install 'FOLDER_OF_THE_CLONE[encryption]'`"
        ) from None
    return build_runner(codec, origins, token)


async def _serve(runner: "AppRunner", address: BindAddress) -> None:
    from aiohttp import web

    from batching_demo.stopping import stop_on_signals

    stop = stop_on_signals()
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
