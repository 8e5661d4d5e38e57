"""A table as a terminal shows it."""

import rich.table

from batching_demo.comparison.report.sections import Table


def on_terminal(table: Table) -> rich.table.Table:
    """Return a table that rich can print: the first column is text, the others are numbers."""
    shown = rich.table.Table(title=table.title, caption=table.note)
    for number, column in enumerate(table.columns):
        shown.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    return shown
