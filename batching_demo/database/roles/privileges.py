"""What the writer and the reader may do with each table of batching-demo."""

from collections.abc import Mapping

from batching_demo.database.batch_log.log import RESULTS
from batching_demo.database.schema.version_table import VERSION_TABLE

READ: Mapping[str, str] = {
    VERSION_TABLE: "0001",
    "records": "0001",
    "write_counts": "0001",
    "dead_letters": "0002",
    "database_identity": "0004",
    "receipts": "0005",
    "batches": "0006",
}
"""The tables and views, all of which both may read, with the revision that has made each."""
INSERTED = ("records", "dead_letters", "receipts", "batches")
"""The tables that the writer inserts rows into."""
UPDATED: Mapping[str, tuple[str, ...]] = {
    "dead_letters": ("status", "attempts", "last_seen"),
    "batches": RESULTS,
}
"""The columns that the writer updates, by table."""
