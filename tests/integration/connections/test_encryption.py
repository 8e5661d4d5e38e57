"""Encrypted connections to a server whose certificate comes from an authority of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, FailureKind, database_errors
from tests.support.certificates import Authority, Certificate
from tests.support.clusters import DEBIAN_PROGRAMS, Cluster, clusters
from tests.support.database import scalar

pytestmark = pytest.mark.skipif(
    not DEBIAN_PROGRAMS.exists(), reason="the bundled Postgres cannot encrypt"
)
ACCESS = (
    "hostssl all clerk 127.0.0.1/32 cert",
    "hostssl all all 127.0.0.1/32 trust",
)


@dataclass(frozen=True)
class Encrypted:
    """A server that only takes encrypted connections, and whose name is localhost."""

    cluster: Cluster
    ours: Path
    others: Path
    clerk: Certificate
    stranger: Certificate
    somebody: Certificate

    def url(self, query: str, *, user: str = "postgres", host: str = "localhost") -> str:
        return f"postgresql://{user}@{host}:{self.cluster.port}/postgres?{query}"

    async def said_to(self, url: str) -> str:
        """Return why a connection is not made."""
        engine = create_engine(url, application_name="tests")
        with pytest.raises(DatabaseFailedError) as failed, database_errors():
            await scalar(engine, "SELECT 1")
        await engine.dispose()
        assert failed.value.failure.kind is FailureKind.OPERATOR
        assert "\n" not in str(failed.value)
        return str(failed.value)


@pytest.fixture(autouse=True)
def no_certificates_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    directory = tmp_path_factory.mktemp("certificates")
    ours, others = Authority(directory, "ours"), Authority(directory, "others")
    server = ours.issue("server", host="localhost")
    with clusters(DEBIAN_PROGRAMS, 1) as (cluster,):
        settings = {
            "ssl": "on",
            "ssl_cert_file": "server.crt",
            "ssl_key_file": "server.key",
            "ssl_ca_file": "ca.crt",
            "fsync": "off",
        }
        cluster.initialise(settings, *ACCESS)
        for name, file in (
            ("server.crt", server.certificate),
            ("server.key", server.key),
            ("ca.crt", ours.certificate),
        ):
            kept = cluster.data / name
            kept.write_bytes(file.read_bytes())
            cluster.keep(kept)
        cluster.start()
        yield Encrypted(
            cluster,
            ours.certificate,
            others.certificate,
            ours.issue("clerk"),
            others.issue("clerk"),
            ours.issue("somebody"),
        )


async def connects(url: str) -> bool:
    engine = create_engine(url, application_name="tests")
    is_encrypted = await scalar(engine, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    await engine.dispose()
    return is_encrypted is True


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca", "verify-full"])
async def test_all_modes_connect(encrypted: Encrypted, mode: str) -> None:
    assert await connects(encrypted.url(f"sslmode={mode}&sslrootcert={encrypted.ours}"))


async def test_another_name_is_enough_for_verify_ca(encrypted: Encrypted) -> None:
    query = f"sslmode=verify-ca&sslrootcert={encrypted.ours}"
    assert await connects(encrypted.url(query, host="127.0.0.1"))
    query = f"sslmode=verify-full&sslrootcert={encrypted.ours}"
    told = await encrypted.said_to(encrypted.url(query, host="127.0.0.1"))
    assert "certificate of 127.0.0.1" in told
    assert "is for another name" in told


async def test_the_authorities_of_the_machine(
    encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await encrypted.said_to(encrypted.url("sslrootcert=system"))
    assert "an authority that sslrootcert=system does not hold" in told
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted.ours))
    assert await connects(encrypted.url("sslrootcert=system"))


async def test_the_variables_of_libpq_count_too(
    encrypted: Encrypted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(encrypted.others))
    assert f"sslrootcert={encrypted.others} does not hold" in (
        await encrypted.said_to(encrypted.url(""))
    )
    monkeypatch.setenv("PGSSLROOTCERT", "/absent")
    assert (await encrypted.said_to(encrypted.url(""))).startswith("PGSSLROOTCERT: /absent")


async def test_a_clerk_comes_with_a_certificate(encrypted: Encrypted) -> None:
    def login(shown: Certificate, key: Path | None = None) -> str:
        query = f"sslmode=require&sslcert={shown.certificate}&sslkey={key or shown.key}"
        return encrypted.url(query, user="clerk")

    engine = create_engine(encrypted.url("sslmode=require"), application_name="tests")
    async with engine.connect() as connection:
        await connection.exec_driver_sql("CREATE ROLE clerk LOGIN")
    await engine.dispose()
    assert await connects(login(encrypted.clerk))
    refusals = {
        encrypted.url("sslmode=require", user="clerk"): "requires a valid client certificate",
        login(encrypted.stranger): "not accept the parameter sslcert in DATABASE_URL",
        login(encrypted.somebody): "certificate authentication failed",
        login(encrypted.clerk, encrypted.stranger.key): "cannot be used: key values mismatch",
        encrypted.url("sslmode=disable", user="clerk"): "it may want sslmode=require",
    }
    for url, words in refusals.items():
        assert words in await encrypted.said_to(url)


async def test_what_is_missing_is_named(encrypted: Encrypted, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    refusals = {
        "sslmode=verify-full&sslrootcert=/absent": "/absent cannot be read: No such file",
        f"sslmode=verify-ca&sslrootcert={tmp_path / 'empty'}": "empty cannot be used",
        "sslnegotiation=direct": "is prefer: direct TLS requires sslmode=require",
        "sslmode=verify-full": "write sslrootcert=FILE, or sslrootcert=system",
        f"sslmode=verify-full&sslrootcert={encrypted.others}": "write the file of that authority",
    }
    for query, words in refusals.items():
        assert words in await encrypted.said_to(encrypted.url(query))


async def test_a_server_that_does_not_encrypt(database_url: str) -> None:
    engine = create_engine(f"{database_url}?sslmode=require", application_name="tests")
    with pytest.raises(DatabaseFailedError, match="does not encrypt, and the parameter sslmode"):
        await scalar(engine, "SELECT 1")
    await engine.dispose()
