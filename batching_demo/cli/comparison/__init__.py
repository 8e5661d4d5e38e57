"""`batching-demo compare` and `demo`: the write paths side by side."""
