"""Let a suspect be written while its process holds nothing else."""

import asyncio


class SuspectTurns:
    """Lets one consumer of a process hold a suspect while the others hold nothing.

    So if the suspect ends the process, the deliveries of no other message rise. Otherwise suspects
    of two queues could be held together, and the innocent one would be given up with the other.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._busy: set[object] = set()
        """The consumers that may hold messages."""
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def are_wanted(self) -> bool:
        """Whether a consumer has a turn, or waits for one. Then no other should receive."""
        return self._turn.locked()

    def begin(self, consumer: object) -> None:
        """Note that a consumer may hold messages from now on."""
        self._busy.add(consumer)
        self._quiet.clear()

    def end(self, consumer: object) -> None:
        """Note that a consumer holds nothing, and receives nothing before the next `begin`."""
        self._busy.discard(consumer)
        if not self._busy:
            self._quiet.set()

    async def take(self) -> None:
        """Return once no consumer holds anything. Until `give_back` none should receive."""
        await self._turn.acquire()
        try:
            await self._quiet.wait()
        except BaseException:
            self._turn.release()
            raise

    def give_back(self) -> None:
        """End a turn."""
        self._turn.release()

    async def pass_by(self) -> None:
        """Wait until those have had their turns that wanted one before."""
        async with self._turn:
            pass
