"""When to write, and what a failure changes: pure, with the clock passed in."""
