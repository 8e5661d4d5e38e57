"""Run the command line as `python -m batching_demo`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # It is the working directory, where a csv.py would hide that of the library.
        del sys.path[0]

    from batching_demo.cli.app import run

    run()
