"""Kill consumers and the server of a queue at random moments, and count what is left."""
