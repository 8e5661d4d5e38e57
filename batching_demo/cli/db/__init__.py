"""The commands of `batching-demo db`."""
