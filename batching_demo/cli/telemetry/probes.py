"""Whether a worker lives, and whether it takes work."""

import asyncio
import time
from collections.abc import Callable

LONGEST_PAUSE_SECONDS = 30.0
"""An event loop that has not run for longer is stuck."""
BEAT_SECONDS = 1.0


class Probes:
    """What a worker answers when it is probed. The answers may be asked for in any thread.

    A worker is not ready before it polls, nor once it is told to stop. It stays ready if Postgres,
    Temporal or its queue goes away: it waits for them, and a new process would do no better.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_beat = clock()
        self._stop: asyncio.Event | None = None

    def watch_loop(self) -> None:
        """Note every second that the running event loop runs."""
        self._last_beat = self._clock()
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self.watch_loop)

    def ready_until(self, stop: asyncio.Event) -> None:
        """Count as ready from now on, until a worker is told to stop."""
        self._stop = stop

    def why_not_alive(self) -> str:
        """Return what is wrong with the event loop; empty if it runs."""
        pause = self._clock() - self._last_beat
        if pause <= LONGEST_PAUSE_SECONDS:
            return ""
        return f"the event loop has not run for {pause:.0f} s"

    def why_not_ready(self) -> str:
        """Return why the worker takes no work; empty if it does."""
        if self._stop is None:
            return "the worker does not poll yet"
        return "the worker stops" if self._stop.is_set() else ""
