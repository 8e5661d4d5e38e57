"""What acts on running batchers from outside."""
