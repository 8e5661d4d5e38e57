"""Tests of the schema and its roles."""
