"""Tables of the user's own that records go to."""
