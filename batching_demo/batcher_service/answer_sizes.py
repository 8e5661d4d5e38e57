"""Keep answers within what Temporal takes at once: cut them into messages, or leave values out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from batching_demo.contracts.batches import RETURNED_TOO_LARGE
from batching_demo.contracts.limits import MAX_RETURNED_BYTES, MAX_RETURNED_RECORD_BYTES
from batching_demo.contracts.messages import Problem, Verdicts, json_size

MOST_PROBLEMS = 1_000
"""Records of an answer whose problem says that their returned columns do not fit. Others just lack
them."""
_QUOTED_BYTES = len('"",')


def messages_of(answers: Sequence[Verdicts]) -> list[list[Verdicts]]:
    """Return answers as messages for one requester, cut where returned columns fill a message."""
    messages: list[list[Verdicts]] = [[]]
    size = 0
    for answer in map(_without_too_large, answers):
        start = 0
        for place, text in enumerate(answer.returned):
            size += _size(text)
            if size > MAX_RETURNED_BYTES:
                messages[-1] += _parts(answer, start, place)
                messages.append([])
                start, size = place, _size(text)
        messages[-1] += _parts(answer, start, len(answer.returned)) or [answer]
    return [message for message in messages if message]


def in_one_result(answers: Sequence[Verdicts]) -> list[Verdicts]:
    """Return the answers of one activity, without returned columns that do not fit its result."""
    size = 0
    fitting = []
    for answer in map(_without_too_large, answers):
        too_large = set()
        for place, text in enumerate(answer.returned):
            if size + _size(text) > MAX_RETURNED_BYTES:
                too_large.add(place)
            else:
                size += _size(text)
        fitting.append(_without(answer, too_large) if too_large else answer)
    return fitting


def _parts(answer: Verdicts, start: int, end: int) -> list[Verdicts]:
    """Return a part of an answer, with the returned columns of some of its records, if any."""
    if start == end:
        return []
    if end - start == len(answer.returned):
        return [answer]
    returned, problems = answer.returned[start:end], [] if start else answer.problems
    return [replace(answer, returned=returned, returned_from=start, problems=problems)]


def _without_too_large(answer: Verdicts) -> Verdicts:
    """Return an answer without the returned columns of records that fit no message."""
    too_large = {
        place
        for place, text in enumerate(answer.returned)
        if len(text) > MAX_RETURNED_RECORD_BYTES // 6 and _size(text) > MAX_RETURNED_RECORD_BYTES
    }
    return _without(answer, too_large) if too_large else answer


def _without(answer: Verdicts, places: set[int]) -> Verdicts:
    returned = ["" if place in places else text for place, text in enumerate(answer.returned)]
    problems = [*answer.problems, *_problems(answer, sorted(places))]
    return replace(answer, returned=returned, problems=problems)


def _problems(answer: Verdicts, places: Sequence[int]) -> Iterator[Problem]:
    for place in places[:MOST_PROBLEMS]:
        detail = (
            f"its returned columns have {_size(answer.returned[place])} bytes as JSON, and do not"
            " fit: return fewer or smaller columns, or write fewer records at a time"
        )
        yield Problem(place, RETURNED_TOO_LARGE, detail)


def _size(text: str) -> int:
    """Return the bytes of a text in a list of JSON."""
    return json_size(text) + _QUOTED_BYTES
