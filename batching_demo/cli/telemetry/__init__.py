"""How a worker can be watched: metrics, logs of its SDK, and probes."""
