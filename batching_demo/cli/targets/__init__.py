"""The commands of `batching-demo targets`."""
