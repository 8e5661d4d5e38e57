"""From a database URL to an open connection: what the URL means, and what is wrong with it."""
