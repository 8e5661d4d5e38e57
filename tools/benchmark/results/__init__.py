"""What the benchmark found: medians, and the files that hold them."""
