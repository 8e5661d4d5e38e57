"""Another server takes over: the next host of the URL, or the same one with other rights."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import sqlstate_of
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.account import server_account
from batching_demo.devstack.installation import postgres_for
from batching_demo.devstack.ports import HOST
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.operator.start import start_batchers
from tests.support.batchers import expect_error, submit
from tests.support.clusters import Cluster, clusters
from tests.support.collecting import collecting, expect_answers
from tests.support.database import execute, execute_at, expect_dead_letters, fetch, scalar
from tests.support.records import record
from tests.support.services import batcher_service
from tests.support.waiting import eventually

QUICK = BatcherSettings(linger_seconds=0.2)
ACCESS = (
    "local all all trust",
    "host all all 127.0.0.1/32 trust",
    "host replication all 127.0.0.1/32 trust",
)
STANDBY = "standby"


@dataclass(frozen=True)
class Pair:
    """A primary, and a standby that has whatever the primary has acknowledged."""

    primary: Cluster
    standby: Cluster

    def url(self, query: str) -> str:
        hosts = f"{self.primary.address},{self.standby.address}"
        return f"postgresql://postgres@{hosts}/postgres?{query}"


@pytest.fixture(scope="module")
async def pair(postgres: PostgresServer) -> AsyncIterator[Pair]:
    programs = postgres_for(server_account(), postgres.directory)
    with clusters(programs, 2) as (primary, standby):
        primary.initialise({"fsync": "off"}, *ACCESS)
        primary.start()
        url = f"postgresql://postgres@{primary.address}/postgres"
        await migrate(url, application_name="tests")
        standby.copy_from(primary, STANDBY)
        standby.start()
        await execute_at(
            url,
            f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'",
            "SELECT pg_reload_conf()",
        )
        engine = create_engine(url, application_name="tests")

        async def is_synchronous() -> None:
            assert await scalar(engine, "SELECT max(sync_state) FROM pg_stat_replication") == "sync"

        await eventually(is_synchronous)
        await engine.dispose()
        yield Pair(primary, standby)


async def port_of(url: str) -> object:
    engine = create_engine(url, application_name="tests")
    port = await scalar(engine, "SELECT inet_server_port()")
    await engine.dispose()
    return port


async def test_the_host_that_is_asked_for(pair: Pair) -> None:
    primary, standby = pair.primary.port, pair.standby.port
    assert await port_of(pair.url("target_session_attrs=standby")) == standby
    assert await port_of(pair.url("target_session_attrs=prefer-standby")) == standby
    random = "load_balance_hosts=random&target_session_attrs=primary"
    assert await port_of(pair.url(random)) == primary


@pytest.mark.parametrize(
    "url",
    ["postgresql://postgres@{quoted}:{port}/", "postgresql://postgres@/?host={0}&port={port}"],
)
async def test_a_socket_is_a_host_too(pair: Pair, url: str) -> None:
    directory = str(pair.primary.directory)
    quoted = quote(directory, safe="")
    engine = create_engine(
        url.format(directory, quoted=quoted, port=pair.primary.port), application_name="tests"
    )
    found = await fetch(engine, "SELECT inet_server_port(), current_setting('port')")
    assert found == [(None, str(pair.primary.port))]
    await engine.dispose()


async def test_a_silent_host_keeps_nobody_from_the_next(pair: Pair) -> None:
    with socket.create_server((HOST, 0)) as silent:
        hosts = f"{HOST}:{silent.getsockname()[1]},{pair.primary.address}"
        url = f"postgresql://postgres@{hosts}/postgres?connect_timeout=1"
        assert await port_of(url) == pair.primary.port


async def test_records_go_on_to_the_next_host(client: Client, pair: Pair) -> None:
    engine = create_engine(pair.url("target_session_attrs=read-write"), application_name="tests")
    await start_batchers(client, 1, QUICK)

    async def submit_some(wave: str) -> dict[str, str]:
        names = [f"{wave}{number}" for number in range(20)]
        for name in names:
            await submit(client, (name, [record(name)]), requester="one")
        return dict.fromkeys(names, "w")

    async with collecting(client, "one"), batcher_service(client, engine):
        expected = await submit_some("before")
        await expect_answers(client, "one", expected)
        expected |= await submit_some("meanwhile")
        pair.primary.stop()
        expected |= await submit_some("without")
        found = await expect_error(client, "no host in DATABASE_URL serves")
        assert f"{pair.primary.address} refuses connections" in found.last_error
        assert f"{pair.standby.address} is not read-write" in found.last_error
        pair.standby.promote()
        await expect_answers(client, "one", expected)
        assert await scalar(engine, "SELECT count(*) FROM records") == len(expected)
        await expect_dead_letters(engine, 0)
    await engine.dispose()
    assert await port_of(pair.url("target_session_attrs=primary")) == pair.standby.port


async def test_a_connection_that_may_not_write_is_not_kept(database_url: str) -> None:
    """A primary that was demoted keeps its connections, and so may a role that may write again."""
    name = database_url.rpartition("/")[2]
    setting = f"ALTER DATABASE {name} SET default_transaction_read_only"
    await execute_at(database_url, f"{setting} = on")
    engine = create_engine(database_url, application_name="tests", pool_size=1)
    with pytest.raises(DBAPIError) as failed:
        await execute(engine, "CREATE TABLE made ()")
    assert sqlstate_of(failed.value) == "25006"
    allowed = f"{database_url}?options=-cdefault_transaction_read_only%3Doff"
    await execute_at(allowed, f"{setting} = off")
    await execute(engine, "CREATE TABLE made ()")
    await engine.dispose()
