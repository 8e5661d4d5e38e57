"""The log of batches: which INSERTs have committed, with what reason and result."""
