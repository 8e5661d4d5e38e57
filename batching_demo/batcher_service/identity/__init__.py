"""A Temporal namespace is for one database: which one, and that workers write to no other."""
