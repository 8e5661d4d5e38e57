"""Temporal behind a proxy that encrypts: it wants certificates of its clients, or an API key."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import WorkflowEnvironment

from batching_demo.devstack.ports import HOST
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect
from tests.support.certificates import Authority
from tests.support.commands import aside, assert_one_line
from tests.support.debian import needs_haproxy
from tests.support.haproxy import REFUSAL, running_haproxy
from tests.support.services import both_services

pytestmark = needs_haproxy
NAME, API_KEY = "temporal.example", "hunter2-as-a-key"
CERTIFICATE, KEY = "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"
AUTHORITY, SERVER_NAME = "TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_SERVER_NAME"
PROFILE = """\
[profile.shop]
address = "{address}"
[profile.shop.tls]
server_name = "{name}"
server_ca_cert_path = "ours.crt"
client_cert_path = "{owner}-worker.crt"
client_key_path = "{owner}-worker.key"
"""


@dataclass(frozen=True)
class Guarded:
    """Where the ports of the proxy are, and the directory of the certificates."""

    by_certificate: str
    by_api_key: str
    directory: Path


@pytest.fixture(scope="module")
def guarded(
    temporal: WorkflowEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    directory = tmp_path_factory.mktemp("certificates")
    ours, others = Authority(directory, "ours"), Authority(directory, "others")
    for authority in (ours, others):
        authority.issue("worker")
    (directory / "text").write_text("no certificate")
    server = temporal.client.service_client.config.target_host
    own, trusted = ours.issue("server", host=NAME), ours.certificate
    with running_haproxy(server, directory, own, trusted, API_KEY) as ports:
        yield Guarded(f"{HOST}:{ports[0]}", f"{HOST}:{ports[1]}", directory)


@pytest.fixture
def trusting(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have variables say whom to trust, and the directory be that of the certificates."""
    monkeypatch.chdir(guarded.directory)
    monkeypatch.setenv("XDG_STATE_HOME", str(guarded.directory))
    monkeypatch.setenv(SERVER_NAME, NAME)
    monkeypatch.setenv(AUTHORITY, "ours.crt")


@pytest.fixture
def by_certificate(guarded: Guarded, trusting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have variables name the port that wants a certificate, and the right one."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", guarded.by_certificate)
    monkeypatch.setenv(CERTIFICATE, "ours-worker.crt")
    monkeypatch.setenv(KEY, "ours-worker.key")


@pytest.mark.usefixtures("on_servers", "by_certificate")
async def test_workers_and_commands_that_have_a_certificate(engine: AsyncEngine) -> None:
    client = await connect(Settings.from_environment(os.environ))
    async with both_services(client, engine):
        assert (await aside("batcher", "start", "--linger", "0.2")).exit_code == 0
        started = await aside("main", "start", "--workflows", "3", "--json")
        doctor = await aside("doctor")
    assert json.loads(started.stdout)["written"] == 3
    assert doctor.exit_code == 0, doctor.output
    assert f"TLS from {SERVER_NAME}" in doctor.stdout


@pytest.mark.usefixtures("by_certificate")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({CERTIFICATE: "", KEY: ""}, ("wants a client certificate", CERTIFICATE, KEY)),
        (
            {CERTIFICATE: "others-worker.crt", KEY: "others-worker.key"},
            (f"refuses the client certificate of {CERTIFICATE}",),
        ),
        ({KEY: "others-worker.key"}, (CERTIFICATE, KEY, "cannot be used (InconsistentKeys")),
        ({CERTIFICATE: "text"}, (CERTIFICATE, "cannot be used (NoCertificates")),
        ({AUTHORITY: ""}, ("that this machine does not trust", f"with {AUTHORITY}")),
        ({AUTHORITY: "others.crt"}, (f"an authority that {AUTHORITY} does not hold",)),
        ({SERVER_NAME: ""}, (f"is for {NAME}: set {SERVER_NAME}",)),
        ({SERVER_NAME: "other.example"}, (f"is for {NAME}: correct {SERVER_NAME}",)),
        ({"TEMPORAL_TLS": "false"}, ("wants TLS (set TEMPORAL_TLS=true)",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
async def test_what_is_wrong_is_named(
    changes: dict[str, str], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert_one_line(await aside("batcher", "status"), 1, *words)


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ("ours", "batcher-0 does not run"),
        ("others", "refuses the client certificate of profile shop of shop.toml"),
        ("absent", "profile shop of shop.toml: absent-worker.crt cannot be read: No such file"),
    ],
)
async def test_a_profile(
    owner: str, words: str, guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = PROFILE.format(address=guarded.by_certificate, name=NAME, owner=owner)
    monkeypatch.chdir(guarded.directory)
    Path("shop.toml").write_text(profile)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "shop.toml")
    monkeypatch.setenv("TEMPORAL_PROFILE", "shop")
    assert_one_line(await aside("batcher", "flush"), 1, words)


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("key", "words"),
    [
        (API_KEY, "batcher-0 does not run"),
        ("hunter2", f"refuses the login ({REFUSAL}): correct the API key in TEMPORAL_API_KEY"),
        ("", f"refuses the login ({REFUSAL}): set TEMPORAL_API_KEY"),
    ],
)
async def test_an_api_key(
    key: str, words: str, guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", guarded.by_api_key)
    monkeypatch.setenv("TEMPORAL_API_KEY", key)
    assert_one_line(await aside("batcher", "flush"), 1, words)
