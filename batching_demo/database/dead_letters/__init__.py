"""Records that could not be stored."""
