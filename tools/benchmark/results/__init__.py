"""What the benchmark found: medians, tables, charts and the report that shows them."""
