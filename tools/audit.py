"""Look for known vulnerabilities in the Python packages of the image."""

import os
import subprocess
import sys
from collections.abc import Sequence

from tools.refresh_pins import ROOT, find_uv

NOT_ANSWERED = "error sending request"


def main(arguments: Sequence[str]) -> int:
    """Return 1 if there are any, and 0 if there are none or if the service does not answer.

    Args:
        arguments: Further options of `uv audit`.
    """
    audit = (find_uv(), "audit", "--project", ROOT, "--frozen", "--no-default-groups")
    result = subprocess.run(
        [*audit, "--preview-features", "audit-command", *arguments],
        env={"UV_HTTP_RETRIES": "1", **os.environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    if result.returncode == 2 and NOT_ANSWERED in result.stderr:
        sys.stderr.write(
            "skipped: no audit, the service of known vulnerabilities does not answer\n"
        )
        return 0
    sys.stderr.write(result.stderr)
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
