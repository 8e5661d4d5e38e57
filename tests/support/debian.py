"""Programs that are Debian's, and so may be missing."""

import os
from pathlib import Path

import pytest

from tools.pgbouncer import PROGRAM

HAPROXY = Path("/usr/sbin/haproxy")
BUBBLEWRAP = Path("/usr/bin/bwrap")
IS_REQUIRED = bool(os.environ.get("REQUIRE_DEBIAN_SERVERS"))
"""Whether tests fail that have no program, rather than being skipped."""

needs_pgbouncer = pytest.mark.skipif(
    not PROGRAM.exists() and not IS_REQUIRED, reason="Debian's package pgbouncer is not installed"
)
needs_haproxy = pytest.mark.skipif(
    not HAPROXY.exists() and not IS_REQUIRED, reason="Debian's package haproxy is not installed"
)
needs_bubblewrap = pytest.mark.skipif(
    not BUBBLEWRAP.exists() and not IS_REQUIRED,
    reason="Debian's package bubblewrap is not installed",
)
