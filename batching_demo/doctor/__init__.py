"""Checks of the surroundings: this machine, Temporal, Postgres, and what should run."""
