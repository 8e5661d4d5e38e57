"""Tests of the comparison of write paths."""
