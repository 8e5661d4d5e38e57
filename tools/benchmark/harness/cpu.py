"""The CPU time of processes."""

import psutil


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_seconds_of_all(parent: psutil.Process) -> float:
    """Return the CPU time of a process and its children, those that have ended included."""
    ended = parent.cpu_times()
    running = map(cpu_seconds, [parent, *parent.children()])
    return sum(running) + float(ended.children_user + ended.children_system)
