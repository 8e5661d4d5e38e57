"""Run the command line, as `batching-demo` or as `python -m batching_demo`."""

import sys

from batching_demo.cli.exit_codes import INTERRUPTED


def main() -> None:
    """Load the commands and run one; an interruption while they load is as good as later."""
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
