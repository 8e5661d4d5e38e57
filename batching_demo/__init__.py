"""Batch the one-row writes of many Temporal workflows into bulk INSERTs for Postgres."""
