"""End by a signal in a way that also ends what was started."""

import signal


def stop_by_signals() -> None:
    """Make SIGINT and SIGTERM raise KeyboardInterrupt.

    Else SIGTERM ends Python at once, and SIGINT is ignored where a shell started this in the
    background.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
