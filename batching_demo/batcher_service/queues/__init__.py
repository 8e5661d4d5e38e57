"""Take messages from external queues, and have them written in batches."""
