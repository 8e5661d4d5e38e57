"""Be stopped in a way that also stops what was started."""

import signal


def stop_by_signals() -> None:
    """Have SIGINT and SIGTERM raise KeyboardInterrupt.

    SIGTERM would end Python at once, and a shell starts what it puts into the background with
    SIGINT ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
