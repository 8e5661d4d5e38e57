"""Input files: inspect one as a whole, cut it into slices, read a slice."""
