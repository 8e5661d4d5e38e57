"""An embedded Postgres and Temporal dev server, for a machine that has neither."""
