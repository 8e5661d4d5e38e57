"""The schema, the engine, and the only INSERTs of the project."""
