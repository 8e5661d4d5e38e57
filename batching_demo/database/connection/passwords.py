"""Password files, by libpq's rules."""

import re
import stat
from pathlib import Path

from batching_demo.database.connection.hosts import Host

FIELD = re.compile(r"((?:\\.|[^:\\])*)(?::|$)")


def default_password_file() -> Path | None:
    """Return where libpq looks for a password file; None if this user has no home."""
    try:
        return Path.home() / ".pgpass"
    except RuntimeError:
        return None


def is_private(path: Path) -> bool:
    """Return whether only its owner may read a file; libpq does not read it otherwise."""
    return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def find_password(path: Path, host: Host, database: str, user: str) -> str | None:
    """Look a password up in a file; None if it is not there, or the file may not be used."""
    try:
        lines = path.read_text().splitlines() if path.is_file() and is_private(path) else []
    except (OSError, UnicodeDecodeError):
        return None
    names = ("localhost", host.name) if host.name.startswith("/") else (host.name,)
    wanted = (names, (str(host.port),), (database,), (user,))
    for line in lines:
        if line.startswith("#"):
            continue
        *fields, password = split_line(line)
        if len(fields) == len(wanted) and all(map(_fits, fields, wanted)):
            return password
    return None


def split_line(line: str) -> list[str]:
    """Split a line at its first four colons; a backslash takes the meaning from what follows."""
    fields: list[str] = []
    rest = line
    while len(fields) < len(("host", "port", "database", "user")):
        found = FIELD.match(rest)
        if found is None or found.end() == len(rest):
            break
        fields.append(_unescape(found[1]))
        rest = rest[found.end() :]
    return [*fields, _unescape(rest)]


def _fits(field: str, wanted: tuple[str, ...]) -> bool:
    return field == "*" or field in wanted


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
