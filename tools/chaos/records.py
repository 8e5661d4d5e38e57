"""The input of a run, and the verdicts that it must get."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from tools.chaos.trigger import CHOSEN

KEY = "id"
MANY, FEW = 40, 60
"""One record in MANY is repeated, and one in FEW has each kind of error."""
REFUSED_NUMBER = "1e-16500"
"""Preparation passes it as a finite double; Postgres refuses it as a numeric."""


@dataclass
class Expected:
    """The number of records by verdict, and the reasons that dead letters may have."""

    written: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    reasons: tuple[str, ...] = (
        "conflict",
        "key_null",
        "key_empty",
        "refused_by_postgres",
        "not_stored",
        "incomplete",
    )

    @property
    def records(self) -> int:
        """The number of records submitted."""
        return self.written + self.duplicate + self.conflict + self.rejected


def write_input(path: Path, numbers: range, seed: int, expected: Expected) -> None:
    """Write NDJSON with new keys, repeats, conflicts and records that cannot be stored.

    Args:
        path: The file.
        numbers: The numbers of the records, from which their keys are made.
        seed: The same seed gives the same file.
        expected: The records are added to it.
    """
    draw = random.Random(seed)  # noqa: S311  # test data is no secret
    lines = [_line(number, draw, expected) for number in numbers]
    # Shuffled, so that a repeat and its first record are mostly in different batches.
    draw.shuffle(lines)
    path.write_text("".join(f"{line}\n" for line in lines))


def _line(number: int, draw: random.Random, expected: Expected) -> str:
    record = {KEY: f"key-{number:07}", "text": "x" * draw.randint(20, 400)}
    if number % MANY == 1:
        expected.duplicate += 1
        return json.dumps({KEY: f"key-{number - 1:07}", "repeated": True})
    if number % MANY == 0:
        # The next record repeats this one. Either may be written, for both have the same content.
        expected.written += 1
        return json.dumps({KEY: record[KEY], "repeated": True})
    if number % FEW == 7:
        expected.rejected += 1
        return json.dumps({KEY: None, "line": number})
    if number % FEW == 8:
        expected.rejected += 1
        return f'{{"{KEY}": "{record[KEY]}", "number": {REFUSED_NUMBER}}}'
    if number % FEW == 6:
        expected.rejected += 1
        return json.dumps(record | {CHOSEN: True})
    if number % FEW == 10:
        expected.conflict += 1
        return json.dumps({KEY: f"key-{number - 1:07}", "other": number})
    expected.written += 1
    return json.dumps(record)
