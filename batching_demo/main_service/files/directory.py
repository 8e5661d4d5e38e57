"""The files of a directory that is named as an input."""

import os
from pathlib import Path

from batching_demo.main_service.files.source_file import SourceError, printable

NO_INPUT = (".", "_")
"""Names of files that begin so are not data, as in the output of batch jobs, such as _SUCCESS."""


def files_of(path: str) -> list[str]:
    """Return the files of a directory in the order of their names; of another path, the path.

    Raises:
        SourceError: The directory cannot be read, has no file, or has a directory in it.
    """
    if not os.path.isdir(path):
        return [path]
    try:
        found = [one for one in sorted(Path(path).iterdir()) if not one.name.startswith(NO_INPUT)]
    except OSError as error:
        raise SourceError(
            f"{printable(path)}: cannot be read ({error.strerror}); check its permissions"
        ) from None
    if not found:
        raise SourceError(f"{printable(path)}: no file is in this directory")
    for one in found:
        if one.is_dir():
            raise SourceError(
                f"{printable(str(one))}: is a directory in a directory; name it with an --input of"
                " its own, or move it away"
            )
    return [str(one) for one in found]
