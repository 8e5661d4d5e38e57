"""Run the command line, as `batching-demo` or as `python -m batching_demo`."""

import os
import signal
import sys

from batching_demo.cli.exit_codes import INTERRUPTED


def main() -> None:
    """Load the commands and run one; an interruption while they load is as good as later."""
    if os.getpid() == 1:
        # In a container: the system drops signals to a first process that it has no handler for.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from batching_demo.cli.app import run

        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        # It is the working directory, where a csv.py would hide that of the library.
        del sys.path[0]
    main()
