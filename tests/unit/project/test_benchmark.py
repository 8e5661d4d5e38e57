"""What the benchmark makes of its figures, and what its proxy does to a connection."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Chart
from batching_demo.devstack.ports import find_free_port
from batching_demo.main_service.files.slice import slices
from tests.support.waiting import eventually, in_time
from tools.benchmark.harness.flights import SERIAL, write_flights
from tools.benchmark.results.files import plot
from tools.benchmark.results.spread import Spread, ratios

CHART = Chart("x", "A title", "rows/s", ["1", "10"], {"a": [1.0, 20.0], "b": [2.0, 3.0]})


def test_ratios_compare_what_ran_in_the_same_round() -> None:
    assert ratios([10, 20, 90], [10, 10, 30]) == Spread(2, 1, 3)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0123, "0.012"), (0.5, "0.50"), (12.34, "12.3"), (12_345.6, "12,346")],
)
def test_numbers_show_three_digits_that_matter(value: float, shown: str) -> None:
    assert short(value) == shown


def test_a_plot_is_the_same_for_the_same_figures() -> None:
    assert plot(CHART) == plot(CHART)
    assert plot(CHART) != plot(Chart("x", "Another", "rows/s", CHART.labels, CHART.series))


def test_input_of_any_length_has_keys_that_differ(tmp_path: Path) -> None:
    source = write_flights(tmp_path / "x.csv", 2_500)
    assert source.columns[0] == SERIAL
    assert sum(slice_.records for slice_ in slices(source, 1_000)) == 2_500


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """Serve whatever comes back to whoever sent it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1000):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_the_proxy_delays_a_round_trip_and_closes_both_ends() -> None:
    port = find_free_port()
    async with echo() as target:
        proxy = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tools.benchmark.harness.delay", str(port), str(target), "100"
        )

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                raise AssertionError from None

        reader, writer = await eventually(connect)
        for _ in range(2):
            began = time.monotonic()
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert time.monotonic() - began >= 0.1
        writer.write_eof()
        assert await in_time(reader.read()) == b""
        proxy.kill()
        await proxy.wait()
        writer.close()
