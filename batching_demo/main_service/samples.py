"""The sample that comes with the package: 2,000 flights from New York on 1 to 3 January 2013."""

from pathlib import Path

FLIGHTS_KEY = ("time_hour", "carrier", "flight")


def flights() -> Path:
    """Return the path of the sample, a CSV file."""
    return Path(__file__).with_name("flights.csv")
