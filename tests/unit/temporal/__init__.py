"""Tests of the client of Temporal."""
