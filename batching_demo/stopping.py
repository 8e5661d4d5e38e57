"""End a process by a signal, in a way that also ends what it has started."""

import asyncio
import logging
import os
import signal

KILLED_BY_SECOND_SIGNAL = 130
logger = logging.getLogger(__name__)


def stop_on_signals() -> asyncio.Event:
    """Return an event that a signal to stop sets; a second signal ends the process."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(KILLED_BY_SECOND_SIGNAL)
        logger.info("stopping: finishing what is running; a second signal ends at once")
        stop.set()

    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, on_signal)
    return stop


def stop_signals() -> list[signal.Signals]:
    """Return the signals that stop a process; nohup makes one of them be ignored."""
    hang_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


def interrupt_on_signals() -> None:
    """Make the signals to stop raise KeyboardInterrupt.

    Else SIGTERM and a hang-up end Python at once, and SIGINT is ignored where a shell started this
    in the background.
    """
    for number in stop_signals():
        signal.signal(number, signal.default_int_handler)
