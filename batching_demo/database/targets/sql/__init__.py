"""The SQL statements of an own table, built from what the catalogs say of it."""
