"""Servers that are Debian's, and so may be missing."""

import os

import pytest

from tools.pgbouncer import PROGRAM

needs_pgbouncer = pytest.mark.skipif(
    not PROGRAM.exists() and not os.environ.get("REQUIRE_DEBIAN_SERVERS"),
    reason="Debian's package pgbouncer is not installed",
)
