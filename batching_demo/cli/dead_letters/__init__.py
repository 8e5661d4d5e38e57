"""`batching-demo dead-letters`: look at dead letters, retry and discard them."""
