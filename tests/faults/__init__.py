"""Faults, on real servers."""
