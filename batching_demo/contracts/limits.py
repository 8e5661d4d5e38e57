"""How large things may be, in bytes unless the name says otherwise."""

KIB = 1024


MAX_KEY_BYTES = 512


MAX_RECORD_BYTES = 256 * KIB


MAX_SUBMISSION_BYTES = 128 * KIB


MAX_BATCH_BYTES = 512 * KIB


MAX_BATCH_RECORDS = 10_000


MAX_SLICE_BYTES = 512 * KIB
