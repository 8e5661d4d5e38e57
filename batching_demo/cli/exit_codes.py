"""What the exit codes of every command mean."""

FAILED = 1
REFUSED = 2
NOT_ALL_STORED = 3
INTERRUPTED = 130
