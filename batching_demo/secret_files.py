"""Secrets that stand in files: the variable NAME_FILE names a file, whose content is that of NAME.

An orchestrator mounts secrets as files. The environment that a process is started with is easier to
come by: descriptions of a container show it, and so does `ps`.
"""

import codecs
from collections.abc import Mapping
from pathlib import Path

from batching_demo.contracts.errors import SettingsError

CODEC_TOKEN = "BATCHING_DEMO_CODEC_TOKEN"  # noqa: S105  # a name, not a token
SECRETS = (
    CODEC_TOKEN,
    "BATCHING_DEMO_ENCRYPTION_KEYS",
    "BATCHING_DEMO_INTAKE_FROM",
    "BATCHING_DEMO_QUEUE_URL",
    "TEMPORAL_API_KEY",
)
"""Variables of secrets. DATABASE_URL is none of them: its file is read for each new connection."""
LONGEST_BYTES = 64 * 1024


def find_secret(environ: Mapping[str, str], name: str) -> str:
    """Return the value of a variable, or else the content of its file; empty if neither is set.

    Raises:
        SettingsError: Both are set, or the file cannot be read.
    """
    value, path = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value and path:
        raise SettingsError(f"{name} and {name}_FILE are both set: unset one")
    return read_secret_file(f"{name}_FILE", path) if path else value


def read_secret_file(variable: str, path: str) -> str:
    """Return the content of a file, without what editors add: a mark of UTF-8, and a newline.

    Args:
        variable: Names the file, for messages.
        path: The file.

    Raises:
        SettingsError: It cannot be read, or it holds nothing that a variable could. The message
            repeats nothing of it.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LONGEST_BYTES + 1)
        text = content.removeprefix(codecs.BOM_UTF8).decode().removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SettingsError(f"{variable}: cannot read {path}: {reason}") from None
    if len(content) > LONGEST_BYTES:
        raise SettingsError(f"{variable}: {path} has more than {LONGEST_BYTES} bytes: correct it")
    if not text.strip():
        raise SettingsError(f"{variable}: {path} is empty: write the secret into it")
    if "\0" in text:
        raise SettingsError(f"{variable}: {path} holds a NUL character: correct it")
    return text
