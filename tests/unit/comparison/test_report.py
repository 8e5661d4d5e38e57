"""The page that `--report` writes, and the one of scripts/benchmark."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from batching_demo.comparison.report.bars import bars
from batching_demo.comparison.report.page import write_page
from batching_demo.comparison.report.sections import Chart, Section, Table
from tests.support.chromium import ask_page, needs_chromium

TABLE = Table("Speed", ["", "n"], [["<b>", "1"]], "a note")
CHART = Chart("x", "A title", "s", ["one", "<two>"], {"p50": [1.0, 4.0], "p95": [2.0, 0.0]})
COMMITS = Chart("commits", "Commits", "", ["batched", "unbatched"], {"": [4, 400]})
WIDE = Table("Wide", ["", *["a long heading"] * 30], [["row", *["1,234,567"] * 30]])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    sections = [Section("one", [TABLE], [CHART, COMMITS]), Section("two", [WIDE])]
    write_page(path, "A <title>", "An ünïcode sentence.", sections)
    return path


class Reader(HTMLParser):
    """Collect what a page refers to, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.refers_to: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.refers_to += [name for name, _ in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_needs_nothing_else_and_shows_text_as_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.refers_to == []
    assert "url(" not in text
    for shown in ("A <title>", "ünïcode", "<b>", "<two>", "4.00 s", "400", "a note"):
        assert shown in reader.text


def test_on_a_logarithmic_scale_bars_begin_below_the_least() -> None:
    series = {"": [20.0, 200.0, 2_000.0, 0.0]}
    drawn = bars(Chart("x", "y", "", ["a", "b", "c", "d"], series, is_logarithmic=True))
    for width in ("13.08%", "56.54%", "100.00%", "0.00%"):
        assert f"width:{width}" in drawn
    assert "logarithmic" in drawn


@needs_chromium
def test_bars_are_as_long_as_their_values_on_a_wide_page(page: Path) -> None:
    found = ask_page(
        page,
        """[...document.querySelectorAll('table.chart')].map(table =>
            [...table.querySelectorAll('.bar')].map(bar => bar.getBoundingClientRect().width))""",
        width=1200,
    )
    (p50, p95, longest, none), (few, many) = found
    assert (p50, p95, none) == pytest.approx((longest / 4, longest / 2, 1), abs=1)
    assert few == pytest.approx(many / 100, abs=1)
    assert longest > 600 < many


@needs_chromium
@pytest.mark.parametrize("width", [500, 1200])
def test_no_row_is_broken_into_many_lines(page: Path, width: int) -> None:
    heights = ask_page(
        page,
        """[...document.querySelectorAll('tr')].map(row => row.getBoundingClientRect().height)""",
        width=width,
    )
    assert max(heights) < 40


@needs_chromium
def test_a_narrow_dark_page_is_dark_and_scrolls_only_wide_tables(page: Path) -> None:
    found = ask_page(
        page,
        """{page: document.documentElement.scrollWidth, window: innerWidth,
            background: getComputedStyle(document.body).backgroundColor,
            color: getComputedStyle(document.body).color,
            shortest: Math.min(...[...document.querySelectorAll('td:has(.bar)')].map(
                cell => cell.clientWidth))}""",
        width=500,
        is_dark=True,
    )
    assert found["page"] <= found["window"]
    assert found["shortest"] > 60
    assert (found["background"], found["color"]) == ("rgb(20, 24, 29)", "rgb(230, 237, 243)")
