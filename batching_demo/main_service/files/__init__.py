"""Input files, step by step.

`directory` and `descriptors` say what a path stands for. `spool` makes a UTF-8 file of any input,
`inspect` checks a file as a whole, `slice` cuts it for the workflows, and `read` reads one slice.
`csv_format` and `ndjson_format` find records, `json_layout` and `header_hints` what is none.
"""
