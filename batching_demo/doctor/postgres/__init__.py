"""Checks of Postgres, one a file."""
