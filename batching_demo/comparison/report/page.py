"""An HTML page of tables and charts. It loads nothing, and follows the reader's light or dark."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from batching_demo.comparison.report.bars import SERIES, bars
from batching_demo.comparison.report.sections import Section, Table

STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --page: #fff; --line: #d0d7de; --dim: #59636e;
  --series-0: #3465a4; --series-1: #d95f02; --series-2: #1b9e77; --series-3: #7f7f7f;
  --series-4: #8e5ea2 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --page: #14181d; --line: #3d444d; --dim: #9da7b1;
    --series-0: #6ea8fe; --series-1: #ff9a4d; --series-2: #4fd1a5; --series-3: #a8a8a8;
    --series-4: #c39bd3 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--text); background: var(--page); overflow-wrap: break-word }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
p { color: var(--dim) }
.scroll { overflow-x: auto }
table { border-collapse: collapse }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line);
  font-weight: normal; font-variant-numeric: tabular-nums; white-space: nowrap }
tr > :first-child { text-align: left; padding-left: 0; white-space: normal }
tr > th { font-weight: 600 }
table:not(.chart) td:first-child { min-width: 8rem }
table.chart { width: 100% }
table.chart th, table.chart td { border: 0; padding: .15rem .7rem .15rem 0; font-weight: normal;
  vertical-align: top; white-space: nowrap }
table.chart td:has(.bar) { width: 100%; min-width: 4rem }
table.chart td:last-child { padding-right: 0 }
.bar { height: 1.1rem; min-width: 1px; border-radius: 2px; print-color-adjust: exact;
  forced-color-adjust: none }
""" + "\n".join(
    f".series-{number} {{ background: var(--series-{number}) }}" for number in range(SERIES)
)


def write_page(path: Path, title: str, about: str, sections: Sequence[Section]) -> None:
    """Write the page.

    Args:
        path: The file, which is replaced.
        title: The heading.
        about: What was measured, and where: a sentence or two.
        sections: What was found; of each the charts come before the tables.

    Raises:
        OSError: The file cannot be written.
    """
    parts = [
        "<!doctype html>",
        "<html lang=en>",
        '<meta charset=utf-8><meta name=viewport content="width=device-width">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(about)}</p>",
    ]
    for section in sections:
        parts += [bars(chart) for chart in section.charts]
        parts += [_table(table) for table in section.tables]
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}" for column in table.columns)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in table.rows)
    return (
        f"<h2>{escape(table.title)}</h2>\n<div class=scroll><table>\n<tr>{head}\n{rows}\n"
        f"</table></div>\n<p>{escape(table.note)}</p>"
    )
