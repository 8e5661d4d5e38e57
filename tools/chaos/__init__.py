"""Break everything at random moments under load, heal it, and count what is left."""
