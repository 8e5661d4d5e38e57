"""Orders, each a workflow, whose rows are written in batches: to be copied and changed."""
