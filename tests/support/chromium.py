"""Open a page in a headless Chromium, where there is one."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), "")
LONGEST_SECONDS = 60
needs_chromium = pytest.mark.skipif(
    not PROGRAM, reason="no Chromium on this machine; Debian's package is named chromium"
)


def ask_page(page: Path, expression: str, *, width: int, is_dark: bool = False) -> Any:
    """Open a copy of a page with a window of that width, and return what JavaScript says of it."""
    asking = page.with_suffix(".asking.html")
    script = f"document.title = JSON.stringify({expression})"
    asking.write_text(f"{page.read_text(encoding='utf-8')}<script>{script}</script>")
    shown = subprocess.run(
        [
            *(PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            f"--user-data-dir={page.parent / 'profile'}",
            f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={0 if is_dark else 1}",
            asking.as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=LONGEST_SECONDS,
    ).stdout.decode()
    return json.loads(shown.partition("<title>")[2].partition("</title>")[0])
