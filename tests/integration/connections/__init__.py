"""Tests of connections to Postgres and to Temporal."""
