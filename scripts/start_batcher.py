#!/usr/bin/env python3
"""Start the batchers: the same as `batching-demo batcher start`."""

import sys

from batching_demo.cli import main

if __name__ == "__main__":
    main(["batcher", "start", *sys.argv[1:]])
