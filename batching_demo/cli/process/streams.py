"""Standard streams on which a write never fails.

What a command does must not depend on who reads what it says. So a closed stream is opened on the
null device, and what a terminal's encoding cannot show is escaped. A write that fails ends nothing;
the exit code tells afterwards if the disk was full.
"""

import errno
import io
import os
import select
import sys
from typing import Any, TextIO

READER_LEFT = (errno.EPIPE, errno.ECONNRESET)


class StandardStream(io.FileIO):
    """A standard stream; after a failed write it drops what follows."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write some of the data, and return how many bytes count as written."""
        length = len(memoryview(data).cast("B"))
        if self.failure is not None:
            return length
        try:
            while (written := super().write(data)) is None:
                # Another process has made the descriptor non-blocking.
                select.select([], [self], [])
        except OSError as error:
            self.failure = error
            return length
        return written

    @property
    def reader_left(self) -> bool:
        """Whether nobody reads it any more: a pipe is closed, or a terminal is gone."""
        if self.failure is None:
            return False
        return self.failure.errno in READER_LEFT or (
            self.failure.errno == errno.EIO and self.isatty()
        )


def open_standard_streams() -> None:
    """Replace the standard streams of this process; closed input stays None."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the next file that is opened would become a standard stream.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = _text(1, sys.stdout), _text(2, sys.stderr)


def _text(descriptor: int, before: TextIO | None) -> TextIO:
    raw = StandardStream(descriptor)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=descriptor == 2 or raw.isatty(),
    )


def reader_left() -> bool:
    """Return whether nobody reads standard output any more, so that watching may end."""
    sys.stdout.flush()
    stream = _standard_output()
    return stream is not None and stream.reader_left


def _standard_output() -> StandardStream | None:
    """Return what is below standard output; None where something else has replaced it."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, StandardStream) else None


def lost_output() -> str:
    """Flush standard output, and name the reason if some of it could not be written."""
    sys.stdout.flush()
    stream = _standard_output()
    if stream is None or stream.failure is None or stream.reader_left:
        return ""
    return stream.failure.strerror or str(stream.failure)
