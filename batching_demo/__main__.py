"""Run the command line as `python -m batching_demo`."""

from batching_demo.cli.app import run

if __name__ == "__main__":
    run()
