"""Orders, each a workflow whose row goes to a table of its own: to be copied and changed."""
