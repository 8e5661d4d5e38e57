"""Run the command line as `python -m batching_demo`."""

from batching_demo.cli import run

if __name__ == "__main__":
    run()
