"""The exit codes of all commands, beside 0."""

FAILED = 1
REFUSED = 2
NOT_ALL_STORED = 3
INTERRUPTED = 130
