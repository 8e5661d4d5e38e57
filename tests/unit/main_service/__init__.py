"""Tests of the main service."""
