"""The command of scripts/chaos."""

import asyncio

import click
from rich.console import Console
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from batching_demo.contracts.names import DIRECT, WritePath
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.stopping import interrupt_on_signals
from tools.chaos.own_table import OWN_TARGETS
from tools.chaos.report import as_json as result_as_json
from tools.chaos.report import conclusion, tables
from tools.chaos.run import RunPlan, run
from tools.chaos.schedule import plan, plan_kills

MIXED = "mixed"
WRITE_PATHS = [*(path.value for path in WritePath), DIRECT]


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.1), default=3.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same faults.")
@click.option("--records", type=click.IntRange(min=10), default=2_400, show_default=True)
@click.option(
    "--write-path",
    type=click.Choice([*WRITE_PATHS, MIXED]),
    default=MIXED,
    show_default=True,
    help="How records are written; mixed: all ways at once.",
)
@click.option(
    "--kills",
    type=click.IntRange(min=1),
    help="Only kill the batcher worker, so many times at even intervals.",
)
@click.option(
    "--within",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Also check that requests are answered so soon after the last fault.",
)
@click.option(
    "--target",
    "targets",
    type=click.Choice([RECORDS_TARGET, *OWN_TARGETS]),
    multiple=True,
    default=[RECORDS_TARGET],
    show_default=True,
    help="Where the records go; give it again for several. The ids that requesters get of an own"
    " table are compared with its rows.",
)
@click.option("--dry-run", is_flag=True, help="Only print the schedule.")
@click.option("--json", "as_json", is_flag=True, help="Print only JSON.")
def main(
    minutes: float,
    seed: int,
    records: int,
    write_path: str,
    kills: int | None,
    within: float | None,
    targets: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Inject faults at random moments under load, recover, and check what is stored.

    The run starts its own servers and workers and touches no others. The exit code is 1 if a
    check fails. A workflow or a request has 5 records, and half of the requests are made twice.

    \b
    Examples:
      scripts/chaos --minutes 3 --seed 1
      scripts/chaos --minutes 5 --target invoices --target invoices_with_receipts
      scripts/chaos --write-path direct --records 50000 --minutes 5 --kills 20 --within 40
    """
    faults = plan_kills(kills, minutes * 60) if kills else plan(seed, minutes * 60)
    if dry_run:
        for fault in faults:
            click.echo(f"{fault.at:6.1f} s  {fault.kind} ({fault.duration:.1f} s)")
        return
    _quiet_core()
    interrupt_on_signals()
    write_paths = WRITE_PATHS if write_path == MIXED else [write_path]
    if within is not None and DIRECT not in write_paths:
        raise click.BadParameter(
            "only requests of the path direct are timed", param_hint="--within"
        )
    planned = RunPlan(faults, minutes * 60, records, seed, write_paths, targets, within)
    result = asyncio.run(run(planned, lambda line: click.echo(line, err=True)))
    if as_json:
        click.echo(result_as_json(result))
    else:
        for table in tables(result):
            Console().print(table)
        for failure in result.failures[:5]:
            click.echo(failure, err=True)
        click.echo(conclusion(result))
    raise SystemExit(0 if result.holds else 1)


def _quiet_core() -> None:
    """Silence the retries of Temporal's client: the run stops its server on purpose."""
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)))


if __name__ == "__main__":
    main(prog_name="scripts/chaos")
