"""Benchmarks, chaos runs and maintenance. None of it is shipped."""
