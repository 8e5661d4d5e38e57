"""The client of Temporal: how it connects, and what it asks the server beyond the SDK."""
