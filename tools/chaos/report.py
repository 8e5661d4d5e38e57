"""Print what was done, and what held."""

import json
from collections import Counter
from dataclasses import asdict

from rich.table import Table

from tools.chaos.run import Outcome


def tables(outcome: Outcome) -> list[Table]:
    """Build a table of faults and one of checks."""
    faults = Table("fault", "times", title=f"{len(outcome.faults)} faults")
    for kind, times in Counter(fault.kind.value for fault in outcome.faults).items():
        faults.add_row(kind, str(times))
    checks = Table("", "expected", "found", "", title=f"{outcome.records:,} records")
    for check in outcome.checks:
        verdict = "holds" if check.holds else "[bold red]DOES NOT HOLD[/]"
        checks.add_row(check.name, str(check.expected), str(check.found), verdict)
    return [faults, checks]


def conclusion(outcome: Outcome) -> str:
    """Say in one line what came of it."""
    said = f"{len(outcome.faults)} faults, {outcome.records:,} records: "
    return said + ("nothing lost, nothing doubled" if outcome.holds else "NOT everything held")


def as_json(outcome: Outcome) -> str:
    """Give all of it to a program."""
    return json.dumps(
        {
            "holds": outcome.holds,
            "records": outcome.records,
            "faults": [asdict(fault) for fault in outcome.faults],
            "checks": [asdict(check) | {"holds": check.holds} for check in outcome.checks],
        },
        indent=2,
    )
