"""Encrypt what Temporal gets to see: keys, the codec, and the data converter that uses it."""
