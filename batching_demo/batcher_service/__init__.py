"""Collect the records of many workflows and write them in bulk."""
