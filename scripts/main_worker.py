#!/usr/bin/env python3
"""Run a worker of the main service: the same as `batching-demo main worker`."""

import sys

from batching_demo.cli import main

if __name__ == "__main__":
    main(["main", "worker", *sys.argv[1:]])
