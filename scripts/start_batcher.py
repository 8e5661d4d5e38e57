#!/usr/bin/env python3
"""Start the batchers: the same as `batching-demo batcher start`."""

import sys

from batching_demo.cli.app import run

if __name__ == "__main__":
    run(["batcher", "start", *sys.argv[1:]])
