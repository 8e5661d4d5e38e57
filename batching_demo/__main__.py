"""Run the command line as `python -m batching_demo`."""

from batching_demo.cli import main

if __name__ == "__main__":
    main()
