"""`batching-demo intake`: write the messages of external queues."""
