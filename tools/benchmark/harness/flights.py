"""Input of any length: the bundled flights, repeated, with serial numbers."""

import csv
from itertools import chain, islice, repeat
from pathlib import Path

from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.messages import Source
from batching_demo.main_service.samples import flights

SERIAL = "serial"


def write_flights(path: Path, records: int) -> Source:
    """Write a CSV file with this many flights, and return it as a source keyed by serial number."""
    with flights().open(newline="") as sample, path.open("w", newline="") as file:
        header, *rows = csv.reader(sample)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([SERIAL, *header])
        endless = chain.from_iterable(repeat(rows))
        writer.writerows([number, *row] for number, row in enumerate(islice(endless, records)))
    return inspect(path, key_columns=[SERIAL]).source
