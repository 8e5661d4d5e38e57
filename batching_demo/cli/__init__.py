"""The `batching-demo` command: what every command shares, and a folder for each group of them."""
