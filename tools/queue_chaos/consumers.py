"""Worker processes, which are started again whenever one has ended."""

from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

# A process that has imported everything forks itself: each start takes a tenth of a second.
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["tools.queue_chaos.deadly_worker"])


def _work(options: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
    # Only the workers need it.
    from tools.queue_chaos.deadly_worker import work

    work(options, environment, log)


class Consumers:
    """Worker processes.

    Args:
        number: How many.
        options: Of their command.
        environment: All their variables.
        log: Gets what they say.
    """

    def __init__(
        self, number: int, options: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self._arguments = list(options), dict(environment), log
        self.deaths = 0
        """How often one ended that nobody had told to."""
        self._running = [self._start() for _ in range(number)]

    def _start(self) -> ForkServerProcess:
        process = _FORKS.Process(target=_work, args=self._arguments, daemon=True)
        process.start()
        return process

    def supervise(self) -> None:
        """Start those again that have ended."""
        for place, process in enumerate(self._running):
            if not process.is_alive():
                self.deaths += 1
                self._running[place] = self._start()

    def kill(self, place: int) -> None:
        """Kill one with -9, and start it again."""
        self._running[place].kill()
        self._running[place].join()
        self._running[place] = self._start()

    def restart(self, place: int) -> None:
        """Have one end as it should, and start it again."""
        self._running[place].terminate()
        self._running[place].join()
        self._running[place] = self._start()

    def stop(self) -> None:
        """Let all write what they hold."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.join()
