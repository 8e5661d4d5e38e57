"""How large things may be. Bytes of records are encoded bytes, as they travel."""

KIB = 1024

MAX_KEY_BYTES = 512
MAX_RECORD_BYTES = 256 * KIB
"""Before it is deflated. A record over 128 KiB is a submission by itself."""
MAX_SUBMISSION_BYTES = 128 * KIB
MAX_BATCH_BYTES = 512 * KIB
MAX_BATCH_RECORDS = 10_000
MAX_WRITE_BYTES = 1024 * KIB
"""Of one call of a requester, headers included. A workflow whose history would get more than 2 MiB
at once is not failed by the server: its task is tried for ever."""
MAX_SLICE_BYTES = 512 * KIB
"""Of an input file, as it is read."""
