"""`batching-demo main`: the worker and the starter of the main service."""
