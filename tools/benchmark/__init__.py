"""Measure the write, the write paths end to end, growth, distance, shards and latency."""
