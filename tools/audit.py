"""Look for known vulnerabilities in the Python packages of the image."""

import os
import subprocess
import sys
from collections.abc import Sequence

from tools.refresh_pins import ROOT, find_uv

ASKS = "/v1/querybatch)"
"""How uv ends the URL of its first question, which names no vulnerability, in an error about it."""


def main(arguments: Sequence[str]) -> int:
    """Return 1 if there are any, and 0 if there are none or if the service gives no answer.

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
    sys.stderr.write(result.stderr)
    if result.returncode == 2 and ASKS in result.stderr:
        sys.stderr.write(
            "skipped: no audit, the service of known vulnerabilities gives no answer\n"
        )
        return 0
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
