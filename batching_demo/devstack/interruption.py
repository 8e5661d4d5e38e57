"""End by a signal in a way that also ends what was started."""

import signal

from batching_demo.temporal import stop_signals


def stop_by_signals() -> None:
    """Make the signals to stop raise KeyboardInterrupt.

    Else SIGTERM and a hang-up end Python at once, and SIGINT is ignored where a shell started this
    in the background.
    """
    for number in stop_signals():
        signal.signal(number, signal.default_int_handler)
