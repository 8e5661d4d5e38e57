"""What a worker tells whoever watches it: metrics, logs of its SDK, and probes."""
