"""Submit through a queue in place of signals."""
