#!/usr/bin/env python3
"""Start main workflows: the same as `batching-demo main start`."""

import sys

from batching_demo.cli.app import run

if __name__ == "__main__":
    run(["main", "start", *sys.argv[1:]])
