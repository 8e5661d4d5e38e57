"""What every format reports about a file: where records are, or why there can be none."""

Record = tuple[int, int, int]
"""Line on which a record begins, offset of its first byte, offset after its last.

Lines count from 1. The line end is no part of the record.
"""


class StructureError(Exception):
    """The file is not what its format allows, and cannot be read as a whole."""

    def __init__(self, line: int, cause: str) -> None:
        super().__init__(cause)
        self.line = line


class EncodingError(StructureError):
    """The file is not UTF-8."""

    def __init__(self, line: int, error: UnicodeDecodeError) -> None:
        super().__init__(line, f"byte 0x{error.object[error.start]:02X} is not UTF-8")
