"""The messages that a consumer holds, until all of their submissions are written."""

from collections.abc import Iterable, Sequence

from batching_demo.batcher_service.queues.source import Message
from batching_demo.contracts.messages import Submission
from batching_demo.core.buffer import Identity, identity_of


class Holding:
    """Which messages wait for which submissions.

    A message may have several submissions. One submission may come in several messages, if its
    requester has submitted it again.
    """

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        """The submissions of each message that are not written, by the id of the message."""
        self._waiting: dict[Identity, list[Message]] = {}
        """The messages that wait for a submission."""

    def __len__(self) -> int:
        return len(self._open)

    def add(self, message: Message, submissions: Sequence[Submission]) -> bool:
        """Hold a message, and return True. If it is held already, return False."""
        if message.id in self._open:
            return False
        self._open[message.id] = len(submissions)
        for submission in submissions:
            self._waiting.setdefault(identity_of(submission), []).append(message)
        return True

    def written(self, submissions: Iterable[Submission]) -> list[Message]:
        """Note that submissions are written, and return the messages that can be acked now.

        They are held until `forget` is called with them.
        """
        complete: list[Message] = []
        for submission in submissions:
            for message in self._waiting.pop(identity_of(submission)):
                self._open[message.id] -= 1
                if not self._open[message.id]:
                    complete.append(message)
        return complete

    def forget(self, messages: Iterable[Message]) -> None:
        """Hold messages no longer."""
        for message in messages:
            del self._open[message.id]
