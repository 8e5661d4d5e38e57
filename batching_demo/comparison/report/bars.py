"""A chart as an HTML table with a bar in every row."""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Chart

SERIES = 5
"""That have a colour of their own."""


def bars(chart: Chart) -> str:
    """Return a chart as HTML: each label has a row for every series, with its bar and its value."""
    scale = " (logarithmic scale)" if chart.is_logarithmic else ""
    rows = "\n".join(_rows(chart))
    return f"<h2>{escape(chart.title)}{scale}</h2>\n<table class=chart>\n{rows}\n</table>"


def _rows(chart: Chart) -> Iterator[str]:
    values = [value for series in chart.series.values() for value in series]
    percent = _scale(values, is_logarithmic=chart.is_logarithmic)
    for at, label in enumerate(chart.labels):
        for number, (name, series) in enumerate(chart.series.items()):
            head = "" if number else f"<th rowspan={len(chart.series)}>{escape(label)}"
            style = f'class="bar series-{number % SERIES}" style="width:{percent(series[at]):.2f}%"'
            value = f"{_text(series[at])} {escape(chart.unit)}"
            yield f"<tr>{head}<td>{escape(name)}<td><div {style}></div><td>{value}"


def _text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else short(value)


def _scale(values: Sequence[float], *, is_logarithmic: bool) -> Callable[[float], float]:
    """Return the function from a value to the length of its bar, in percent of the longest.

    On a logarithmic scale bars begin at the power of ten below the least value.
    """
    longest = max(values, default=0.0) or 1.0
    if not is_logarithmic:
        return lambda value: 100 * value / longest
    least = min((value for value in values if value > 0), default=longest)
    start = math.floor(math.log10(least))
    span = (math.log10(longest) - start) or 1.0
    return lambda value: 100 * (math.log10(value) - start) / span if value > 0 else 0.0
