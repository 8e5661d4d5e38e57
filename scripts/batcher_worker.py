#!/usr/bin/env python3
"""Run a worker of the batcher service: the same as `batching-demo batcher worker`."""

import sys

from batching_demo.cli.app import run

if __name__ == "__main__":
    run(["batcher", "worker", *sys.argv[1:]])
