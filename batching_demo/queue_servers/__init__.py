"""How both services reach queues: addresses, clients, and errors in one line."""
