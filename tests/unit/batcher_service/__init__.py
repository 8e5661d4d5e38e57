"""Tests of the batcher service."""
