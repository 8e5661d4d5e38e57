"""Show the faults of a run and its checks."""

import json
from collections import Counter
from dataclasses import asdict

from rich.table import Table

from tools.chaos.run import RunResult


def tables(result: RunResult) -> list[Table]:
    """Return a table of faults and one of checks."""
    faults = Table("fault", "times", title=f"{len(result.plan.faults)} faults")
    for kind, times in Counter(fault.kind.value for fault in result.plan.faults).items():
        faults.add_row(kind, str(times))
    checks = Table("", "expected", "found", "", title=f"{result.plan.records:,} records")
    for check in result.checks:
        verdict = "holds" if check.holds else "[bold red]DOES NOT HOLD[/]"
        checks.add_row(check.name, str(check.expected), str(check.found), verdict)
    return [faults, checks]


def conclusion(result: RunResult) -> str:
    """Return the result in one line."""
    said = f"{len(result.plan.faults)} faults, {result.plan.records:,} records: "
    return said + ("nothing lost, nothing doubled" if result.holds else "NOT everything held")


def as_json(result: RunResult) -> str:
    """Return the whole result as JSON."""
    return json.dumps(
        {
            "holds": result.holds,
            "records": result.plan.records,
            "faults": [asdict(fault) for fault in result.plan.faults],
            "checks": [asdict(check) | {"holds": check.holds} for check in result.checks],
        },
        indent=2,
    )
