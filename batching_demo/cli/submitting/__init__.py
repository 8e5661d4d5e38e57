"""`batching-demo submit`, and what it shares with the other commands that submit records."""
