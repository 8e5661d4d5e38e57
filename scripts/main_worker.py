#!/usr/bin/env python3
"""Run a worker of the main service: the same as `batching-demo main worker`."""

import sys

from batching_demo.cli.app import run

if __name__ == "__main__":
    run(["main", "worker", *sys.argv[1:]])
