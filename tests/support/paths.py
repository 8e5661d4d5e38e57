"""The write paths that need no other server than Postgres and Temporal."""

from batching_demo.contracts.names import WritePath

WITHOUT_QUEUE = tuple(path for path in WritePath if path is not WritePath.QUEUED)
