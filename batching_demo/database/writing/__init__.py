"""The write: rows, the target, the statements, and the verdict of each row."""
