"""Tests of input files."""
