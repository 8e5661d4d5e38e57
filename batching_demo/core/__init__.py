"""When a batch is written, and what a failure changes: pure, with the time as an argument."""
