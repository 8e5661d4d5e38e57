"""Write sections as JSON, and their charts as SVG for the pages in docs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from batching_demo.comparison.report.sections import Chart, Section

COLOURS = ("#7f7f7f", "#d95f02", "#1b9e77", "#3465a4", "#8e5ea2")


def write_json(path: Path, sections: Sequence[Section], machine: str) -> None:
    """Write all sections as JSON."""
    document = {"machine": machine, "sections": [asdict(section) for section in sections]}
    path.write_text(json.dumps(document, indent=2) + "\n")


def write_plots(directory: Path, sections: Sequence[Section]) -> None:
    """Write each plot to an SVG file."""
    directory.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for chart in section.charts:
            (directory / f"{chart.name}.svg").write_text(plot(chart))


def plot(chart: Chart) -> str:
    """Return a chart as SVG: the same text for the same figures."""
    with mpl.rc_context({"svg.hashsalt": chart.name, "font.size": 9}):
        figure = Figure(figsize=(7, 3.2), layout="constrained")
        axes = figure.add_subplot()
        width = 0.8 / len(chart.series)
        for number, (name, values) in enumerate(chart.series.items()):
            places = [at + (number + 0.5) * width - 0.4 for at in range(len(chart.labels))]
            bars = axes.bar(places, values, width, label=name, color=COLOURS[number % len(COLOURS)])
            axes.bar_label(bars, [_short(value) for value in values], fontsize=7, padding=1)
        axes.set_xticks(range(len(chart.labels)), chart.labels)
        axes.set_title(chart.title, loc="left")
        axes.set_ylabel(chart.unit)
        if chart.is_logarithmic:
            axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.spines[["top", "right"]].set_visible(False)
        if len(chart.series) > 1:
            axes.legend(frameon=False, ncols=len(chart.series), fontsize=8)
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


def _short(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"
