"""Run the write paths side by side and report what Postgres and Temporal counted."""
