"""How large things may be, and how many. Sizes are encoded bytes, if nothing else is said."""

KIB = 1024

DEFAULT_POLLERS = 5
"""Requests for work that a worker has wait at the server, for each kind of work."""
MAX_KEY_BYTES = 512
MAX_RECORD_BYTES = 256 * KIB
"""The largest record, before it is deflated."""
MAX_SUBMISSION_BYTES = 128 * KIB
"""A record that is larger by itself, once it is deflated, is a submission alone."""
MAX_BATCH_BYTES = 512 * KIB
MAX_BATCH_RECORDS = 10_000
MAX_WRITE_BYTES = 1024 * KIB
"""The submissions of one `Requester.write`, headers included. A history takes less than 2 MiB at
once. Beyond, the server does not fail the workflow: it tries the workflow task for ever."""
MAX_RETURNED_BYTES = 512 * KIB
"""Returned columns of one message or result, as JSON. Verdicts and problems come on top of them."""
MAX_RETURNED_RECORD_BYTES = 256 * KIB
"""Those of one record."""
MAX_RETURNING_RECORDS = 1_000
"""Records of one activity on the paths without a batcher, if they go to a table of the user's own:
its result has the returned columns of all of them."""
MAX_SLICE_BYTES = 512 * KIB
"""A slice of an input file, as it is read."""
