"""What the statements of a write find out about its rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from batching_demo.contracts.messages import Verdict

WRITTEN = Verdict.WRITTEN.value[0]
DUPLICATE = Verdict.DUPLICATE.value[0]
CONFLICT = Verdict.CONFLICT.value[0]
REJECTED = Verdict.REJECTED.value[0]
UPDATED = Verdict.UPDATED.value[0]
STALE = Verdict.STALE.value[0]


@dataclass
class Answers:
    """The results for some rows of a write, by their numbers. What is not in it is undecided."""

    codes: dict[int, str] = field(default_factory=dict)
    """A character of `VERDICT_BY_CODE` for each row that is decided."""
    returned: dict[int, str] = field(default_factory=dict)
    """The columns that a target returns, as the JSON text of an object."""
    tried: Sequence[int] = ()
    """Rows that an INSERT was to insert. Of each key it is one."""
    lacking: dict[int, str] = field(default_factory=dict)
    """Rows without a value for a column that needs one, with its name. They cannot be stored."""
    keys_change: bool = False
    """Whether Postgres has inserted a row under another key than its own."""

    @classmethod
    def joined(cls, parts: "Sequence[Answers]") -> "Answers":
        """Return what several statements have found out. Of one it is not copied."""
        if len(parts) == 1:
            return parts[0]
        answers = cls()
        for part in parts:
            answers.codes |= part.codes
            answers.returned |= part.returned
            answers.tried = [*answers.tried, *part.tried]
            answers.lacking |= part.lacking
            answers.keys_change |= part.keys_change
        return answers
