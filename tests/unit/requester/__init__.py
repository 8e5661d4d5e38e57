"""Tests of the requester."""
