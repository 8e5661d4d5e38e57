"""Load and prepare records, and hand them to a batcher."""
