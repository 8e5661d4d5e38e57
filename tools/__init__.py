"""Benchmarks, chaos and maintenance; not part of the package."""
