"""The schedule of faults. The same seed gives the same schedule."""

import random
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """The kinds of faults."""

    KILL_BATCHER_WORKER = "batcher worker killed"
    KILL_MAIN_WORKER = "main worker killed"
    STOP_POSTGRES = "Postgres stopped (immediate)"
    PAUSE_POSTGRES = "Postgres paused (SIGSTOP)"
    LOCK_TABLE = "table locked"
    SILENT_CONNECTIONS = "connections to Postgres gone silent"
    CHANGE_TRIGGER = "trigger refuses chosen records in another way"
    RESTART_TEMPORAL = "Temporal restarted"
    TERMINATE_BATCHER = "batcher terminated and started again"
    MALFORMED_SIGNALS = "malformed signals sent"
    KILL_VALKEY = "Valkey killed"
    FLUSH_QUEUE = "queue emptied (FLUSHALL)"


WEIGHTS = {
    FaultKind.KILL_BATCHER_WORKER: 5,
    FaultKind.KILL_MAIN_WORKER: 3,
    FaultKind.STOP_POSTGRES: 4,
    FaultKind.PAUSE_POSTGRES: 1,
    FaultKind.LOCK_TABLE: 1,
    FaultKind.SILENT_CONNECTIONS: 2,
    FaultKind.CHANGE_TRIGGER: 3,
    FaultKind.RESTART_TEMPORAL: 2,
    FaultKind.TERMINATE_BATCHER: 1,
    FaultKind.MALFORMED_SIGNALS: 2,
    FaultKind.KILL_VALKEY: 2,
    FaultKind.FLUSH_QUEUE: 1,
}
SHORTEST_GAP, LONGEST_GAP = 1.5, 6.0
SHORTEST_OUTAGE, LONGEST_OUTAGE = 1.0, 6.0
LONG_OUTAGE = 20.0
"""Longer than the lock timeout, and in a short run a sixth of it at most."""
OUTAGES = {FaultKind.STOP_POSTGRES, FaultKind.RESTART_TEMPORAL, FaultKind.KILL_VALKEY}
LONG_OUTAGES = {FaultKind.PAUSE_POSTGRES, FaultKind.LOCK_TABLE}


@dataclass(frozen=True)
class Fault:
    """One fault, with its time and duration in seconds."""

    at: float
    kind: FaultKind
    duration: float = 0.0


def plan(seed: int, seconds: float) -> list[Fault]:
    """Return the faults of a run. Every kind comes early, so that a short run has all of them."""
    draw = random.Random(seed)  # noqa: S311  # a schedule is no secret
    kinds = list(WEIGHTS)
    draw.shuffle(kinds)
    faults: list[Fault] = []
    at = draw.uniform(SHORTEST_GAP, LONGEST_GAP)
    while at < seconds:
        kind = kinds.pop() if kinds else _weighted(draw)
        fault = Fault(round(at, 2), kind, round(_duration(kind, draw, seconds), 2))
        faults.append(fault)
        at += fault.duration + draw.uniform(SHORTEST_GAP, LONGEST_GAP)
    return faults


def plan_kills(times: int, seconds: float) -> list[Fault]:
    """Return a run in which only the batcher worker is killed, at even intervals to the end."""
    return [
        Fault(round(seconds * number / times, 2), FaultKind.KILL_BATCHER_WORKER)
        for number in range(1, times + 1)
    ]


def _weighted(draw: random.Random) -> FaultKind:
    return draw.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]


def _duration(kind: FaultKind, draw: random.Random, seconds: float) -> float:
    if kind in LONG_OUTAGES:
        return min(LONG_OUTAGE, seconds / 6)
    return draw.uniform(SHORTEST_OUTAGE, LONGEST_OUTAGE) if kind in OUTAGES else 0.0
