"""The roles of Postgres that own the tables, write to them and read them."""
