"""The `batching-demo` command and its subcommands, one module for each."""

from batching_demo.cli.main import main, run

__all__ = ["main", "run"]
