"""Show what was measured: as tables on a terminal, and as an HTML page that needs nothing else."""
