"""The progress bar of `main start` and `submit`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from batching_demo.main_service.summary import Summary


class RateColumn(ProgressColumn):
    """Records a second, over the last seconds."""

    def render(self, task: Task) -> Text:
        """Show the rate as soon as there is one."""
        return Text(f"{task.speed:,.0f} records/s" if task.speed else "", style="cyan")


@contextmanager
def verdict_progress(total: int, *, shown: bool) -> Iterator[Callable[[Summary], None]]:
    """Show on standard error how many records have which verdict, and how fast it goes."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not shown, transient=True) as progress:
        task = progress.add_task("", total=total)

        def on_change(summary: Summary) -> None:
            progress.update(
                task,
                completed=summary.read - summary.pending,
                description=_verdicts(summary),
            )

        yield on_change


def _verdicts(summary: Summary) -> str:
    counts = summary.verdicts | {"already done": summary.already_done}
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)
