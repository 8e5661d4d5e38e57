"""Servers, workers, input and counters that the parts of the benchmark share."""
