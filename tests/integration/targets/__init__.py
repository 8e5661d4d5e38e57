"""Tests of tables of the user's own."""
