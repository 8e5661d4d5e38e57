"""The batcher: its workflow, what the workflow reads, and what a run hands to the next."""
