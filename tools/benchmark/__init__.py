"""Measures the write, the write paths end to end, growth, distance and shards."""
