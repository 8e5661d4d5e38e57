"""The schedule of faults. The same seed gives the same schedule."""

import random
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """The kinds of faults."""

    KILL_BATCHER_WORKER = "batcher worker killed"
    KILL_MAIN_WORKER = "main worker killed"
    STOP_POSTGRES = "Postgres stopped (immediate)"
    RESTART_TEMPORAL = "Temporal restarted"
    MALFORMED_SIGNALS = "malformed signals sent"


WEIGHTS = {
    FaultKind.KILL_BATCHER_WORKER: 5,
    FaultKind.KILL_MAIN_WORKER: 3,
    FaultKind.STOP_POSTGRES: 4,
    FaultKind.RESTART_TEMPORAL: 2,
    FaultKind.MALFORMED_SIGNALS: 2,
}
SHORTEST_GAP, LONGEST_GAP = 3.0, 9.0
SHORTEST_OUTAGE, LONGEST_OUTAGE = 1.0, 6.0


@dataclass(frozen=True)
class Fault:
    """One fault, with its time and duration in seconds."""

    at: float
    kind: FaultKind
    duration: float


def plan(seed: int, seconds: float) -> list[Fault]:
    """Return the faults of a run. Every kind comes early, so that a short run has all of them."""
    draw = random.Random(seed)  # noqa: S311  # a schedule is no secret
    kinds = list(WEIGHTS)
    draw.shuffle(kinds)
    faults: list[Fault] = []
    at = draw.uniform(SHORTEST_GAP, LONGEST_GAP)
    while at < seconds:
        kind = kinds.pop() if kinds else _weighted(draw)
        faults.append(Fault(round(at, 2), kind, round(_outage(draw), 2)))
        at += draw.uniform(SHORTEST_GAP, LONGEST_GAP)
    return faults


def _weighted(draw: random.Random) -> FaultKind:
    return draw.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]


def _outage(draw: random.Random) -> float:
    return draw.uniform(SHORTEST_OUTAGE, LONGEST_OUTAGE)
