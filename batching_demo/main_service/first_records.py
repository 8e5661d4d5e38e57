"""Refuse an input whose first records are all bad, before any of it is sent."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.main_service.files.inspect import Inspected
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.preparation import prepare
from batching_demo.records.json_text import parse_object
from batching_demo.records.rejection import RejectionError, shown_names

LOOKED_AT = 1_000
"""Records. Those after the first good one are not looked at."""
_AT_ONCE = 20


def check_first_records(
    inspected: Inspected,
    key_columns: Sequence[str],
    *,
    allow_bad: bool,
    target: str = RECORDS_TARGET,
) -> None:
    """Prepare the first records until one is good.

    Args:
        inspected: The input.
        key_columns: Whose values make the key.
        allow_bad: Whether to go on after a thousand bad records.
        target: The name of the target that they go to.

    Raises:
        SourceError: Their first thousand are bad, or no record has a key column.
    """
    bad = []
    options = RunOptions(list(key_columns), target=target)
    for record in islice(_first(inspected, options), LOOKED_AT):
        if not record.rejection:
            return
        bad.append(record)
    if allow_bad and inspected.records > LOOKED_AT:
        return
    name, names = inspected.source.name, _names(bad)
    missing = [column for column in key_columns if column not in names]
    if names and missing and inspected.source.format == "ndjson":
        is_all = len(bad) == inspected.records
        which = "no record" if is_all else f"none of the first {LOOKED_AT:,} records"
        named = f"which the key of target {target} needs" if options.is_own else "which --key names"
        raise SourceError(
            f"{name}: {which} has {shown_names(missing)}, {named}; they have"
            f" {shown_names(list(names))}"
        )
    if len(bad) == LOOKED_AT and not allow_bad:
        raise SourceError(
            f"{name}: the first {LOOKED_AT:,} records are all bad, {_reasons(bad)}; mend file or"
            " options, or load it all the same with --allow-bad-records"
        )


def _first(inspected: Inspected, options: RunOptions) -> Iterator[PreparedRecord]:
    source = inspected.source
    for slice_ in slices(source, _AT_ONCE, limit=LOOKED_AT, stamp=inspected.stamp):
        yield from prepare(source, slice_, read_slice(source, slice_), options)


def _names(bad: Sequence[PreparedRecord]) -> dict[str, None]:
    """Return the names that records have, in their order."""
    names: dict[str, None] = {}
    for record in bad:
        try:
            names |= dict.fromkeys(parse_object(record.payload))
        except RejectionError:
            continue
    return names


def _reasons(bad: Sequence[PreparedRecord]) -> str:
    """Return how many records are bad for which reason, and the first in full."""
    reasons = Counter(record.rejection.partition(":")[0] for record in bad)
    counts = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    return f"{counts} (line {bad[0].line}: {bad[0].rejection})"
