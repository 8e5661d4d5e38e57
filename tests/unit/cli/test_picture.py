"""What `batcher status --watch` draws."""

from dataclasses import replace
from io import BytesIO, TextIOWrapper

import pytest
from rich.console import Console

from batching_demo.cli.batcher.picture import Rates, lines, picture
from batching_demo.contracts.operations import BatcherSettings, BatcherStatus, Flush, Totals
from batching_demo.operator.shards import Described
from batching_demo.operator.status import Overview

NOW = 1_000_000.0
SETTINGS = BatcherSettings(max_records=40, linger_seconds=5)
FLUSHES = [
    Flush("age", 1_234, 512_345, NOW - 7_000, 0.5),
    Flush("records", 40, 16_656, NOW - 3, 0.06),
]
STATUS = BatcherStatus(
    shard=0,
    mode="open",
    mode_since=0.0,
    settings=SETTINGS,
    buffered_records=30,
    buffered_bytes=131_072,
    oldest_at=NOW - 2.5,
    in_flight=1,
    in_flight_records=40,
    backlog=0,
    consecutive_failures=0,
    last_error="",
    totals=Totals(verdicts={"written": 100}, last_flushes=FLUSHES),
)
DESCRIBED = Described(0, "run", 9, 0, SETTINGS)
BATCHER = Overview(0, DESCRIBED, STATUS)


def drawn(
    *batchers: Overview, width: int, height: int = 30, encoding: str = "utf-8", rate: float = 123.4
) -> str:
    file = TextIOWrapper(BytesIO(), encoding)
    console = Console(file=file, width=width, no_color=True, force_terminal=True, color_system=None)
    console.print(picture([(one, rate) for one in batchers], NOW, height))
    file.seek(0)
    return file.read()


@pytest.mark.parametrize("width", [60, 120])
def test_all_fits_without_wrapping_and_without_colour(width: int) -> None:
    shown = drawn(BATCHER, Overview(1, replace(DESCRIBED, shard=1), STATUS), width=width)
    assert "\x1b" not in shown
    for text in ("batcher-0: open", "batcher-1: open", "123.4 records/s"):
        assert text in shown
    rows = shown.splitlines()
    assert max(map(len, rows)) <= width
    for row in ("30 of 40", "131,072 of 524,288", "2.5 of 5 s", "1 batch of 2, 40 records"):
        assert sum(row in line for line in rows) == (2 if width == 60 else 1), row
    for cells in (
        ["3.0 s ago", "records", "40", "16,656", "0.06"],
        ["117 min ago", "age", "1,234"],
    ):
        assert any(all(cell in line for cell in cells) for line in rows), cells


def test_bars_are_as_long_as_the_buffer_is_full() -> None:
    rows = drawn(BATCHER, width=60).splitlines()
    bars = {line.split()[1]: line.count("━") for line in rows if "━" in line}
    assert bars == {"records": 15, "bytes": 5, "age": 10}


def test_a_terminal_that_knows_only_ascii_gets_nothing_else() -> None:
    assert drawn(BATCHER, width=60, encoding="ascii").isascii()


def test_a_low_terminal_shows_fewer_flushes() -> None:
    assert "last flushes" not in drawn(BATCHER, width=60, height=8)
    assert "117 min" not in drawn(BATCHER, width=60, height=9)


@pytest.mark.parametrize(
    ("batcher", "text"),
    [
        (Overview(0), "batcher-0: does not run"),
        (Overview(0, DESCRIBED), "batcher-0: runs, but no worker answers"),
        (Overview(0, DESCRIBED, problem="start a worker"), "start a worker"),
        (Overview(0, DESCRIBED, replace(STATUS, last_error="is it up?")), "batcher-0: is it up?"),
        (Overview(0, DESCRIBED, STATUS, failing_task="cannot finish"), "cannot finish"),
    ],
)
def test_what_is_wrong_is_said_in_both_forms(batcher: Overview, text: str) -> None:
    assert text in drawn(batcher, width=80)
    assert text in "\n".join(lines([(batcher, None)], NOW))


def test_a_line_says_the_same() -> None:
    assert list(lines([(BATCHER, 12.0)], NOW)) == [
        "batcher-0: open, records 30 of 40, bytes 131,072 of 524,288, age 2.5 of 5 s, 1 batch in"
        " flight, 12.0 records/s, last flush 3.0 s ago by records: 40 records, 16,656 bytes"
    ]


def looked_at(written: int) -> Overview:
    return Overview(0, DESCRIBED, replace(STATUS, totals=Totals(verdicts={"written": written})))


def test_the_rate_is_that_of_the_last_seconds() -> None:
    rates = Rates()
    assert rates.add(looked_at(100), 0.0) is None
    assert rates.add(looked_at(150), 1.0) == 50
    assert [rates.add(looked_at(150), float(second)) for second in range(2, 13)][-1] == 0


def test_a_batcher_that_was_started_anew_counts_from_its_start() -> None:
    rates = Rates()
    rates.add(looked_at(100), 0.0)
    assert rates.add(looked_at(10), 1.0) is None
    assert rates.add(looked_at(20), 2.0) == 10
