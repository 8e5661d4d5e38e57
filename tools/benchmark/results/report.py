"""Show sections as tables on a terminal, as JSON and as an HTML page."""

import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path

import matplotlib as mpl
import rich.box
import rich.table
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from rich.console import Console

from tools.benchmark.results.sections import Chart, Section, Table

COLOURS = ("#7f7f7f", "#d95f02", "#1b9e77", "#3465a4")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
small { color: #555 }
svg { max-width: 100%; height: auto }
"""


def show(section: Section, console: Console) -> None:
    """Print the tables of a section."""
    for table in section.tables:
        shown = rich.table.Table(
            title=table.title, title_justify="left", caption=table.note, box=rich.box.SIMPLE,
            caption_justify="left",
        )  # fmt: skip
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def write_json(path: Path, sections: Sequence[Section], machine: str) -> None:
    """Write all sections as JSON."""
    document = {"machine": machine, "sections": [asdict(section) for section in sections]}
    path.write_text(json.dumps(document, indent=2) + "\n")


def write_html(path: Path, sections: Sequence[Section], machine: str) -> None:
    """Write one HTML page that contains its plots."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>batching-demo benchmark</title>",
        f"<style>{STYLE}</style><h1>batching-demo benchmark</h1><p>{html.escape(machine)}</p>",
    ]
    for section in sections:
        parts += [_table(table) for table in section.tables]
        parts += [plot(chart) for chart in section.charts]
    path.write_text("\n".join(parts) + "\n")


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
            bars = axes.bar(places, values, width, label=name, color=COLOURS[number % 4])
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


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(column)}" for column in table.columns)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in row) for row in table.rows
    )
    title, note = html.escape(table.title), html.escape(table.note)
    return f"<h2>{title}</h2><table><tr>{head}\n{rows}</table><p><small>{note}</small></p>"
