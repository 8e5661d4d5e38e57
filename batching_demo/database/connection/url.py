"""Split a database URL by libpq's rules.

No message repeats any part of a URL: where a password is not escaped, any part may belong to it.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from batching_demo.database.connection.hosts import join_hosts, split_place
from batching_demo.database.connection.vocabulary import ADVICE, KNOWN
from batching_demo.settings import SettingsError

EXAMPLE = "postgresql://user:password@host:5432/database"
ESCAPES = {"@": "%40", ":": "%3A", "#": "%23", "%": "%25"}
ALIASES = {"ssl": "sslmode", "database": "dbname"}
"""Names that SQLAlchemy and asyncpg give to parameters of libpq."""
SECRETS = frozenset({"password", "sslpassword"})
SWITCHES = {"true": "require", "false": "disable"}
"""What `ssl` may be in URLs for Java and JavaScript."""
INVISIBLE = {" ": "a space", "\t": "a tab", "\n": "a newline", "\r": "a carriage return"}
NAME = re.compile(r"[A-Za-z]\w{0,62}", re.ASCII)
BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def split_url(text: str, origin: str) -> dict[str, str]:
    """Return the parameters of a URL by the names that libpq gives them.

    Args:
        text: The URL.
        origin: What messages call it.

    Raises:
        SettingsError: It is no URL of a Postgres database, or ambiguous.
    """
    _refuse_surroundings(text, origin)
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise SettingsError(f"{origin} is not a URL: write {EXAMPLE}")
    if scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise SettingsError(f"{origin} does not begin with postgresql://: this needs Postgres")
    address, mark, query = rest.partition("?")
    authority, _, database = address.partition("/")
    login, _, place = authority.rpartition("@")
    if character := _ambiguity(rest, authority, login):
        raise SettingsError(
            f"{origin} is ambiguous: write {ESCAPES[character]} for an {character} in a user name,"
            " a password or a value"
        )
    parts = dict(zip(("user", "password"), login.split(":"), strict=False))
    decoded = {name: _decode(part, origin) for name, part in parts.items() if part}
    if database:
        decoded["dbname"] = _decode(database, origin)
    places = [split_place(part, lambda name: _decode(name, origin)) for part in place.split(",")]
    decoded |= join_hosts(places)
    return decoded | _parameters(query if mark else "", origin)


def _refuse_surroundings(text: str, origin: str) -> None:
    if text[:1] in ("'", '"') or text[-1:] in ("'", '"'):
        raise SettingsError(f"{origin} has quotes around it: remove them")
    # SQLAlchemy leaves spaces as they are when it prints a URL.
    inside = text.replace(" ", "")
    places = ((text[:1], "begins with"), (text[-1:], "ends with"), (inside, "contains"))
    for part, where in places:
        for character in part:
            if character.isspace() or not character.isprintable():
                name = INVISIBLE.get(character, "an invisible character")
                raise SettingsError(f"{origin} {where} {name}: remove it, or write it as %..")


def _ambiguity(rest: str, authority: str, login: str) -> str | None:
    """Return the character that makes a URL ambiguous, if one does.

    A / or ? in a password ends the authority too early, and leaves the @ behind it.
    """
    if "#" in rest:
        return "#"
    if rest.count("@") > ("@" in authority):
        return "@"
    if login.count(":") > 1:
        return ":"
    return "%" if BAD_PERCENT.search(rest) else None


def _decode(text: str, origin: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise SettingsError(f"{origin} is not UTF-8 where it has percent signs") from None
    if "\0" in decoded:
        raise SettingsError(f"{origin} contains %00: Postgres takes no NUL")
    return decoded


def _parameters(query: str, origin: str) -> dict[str, str]:
    """Return what stands behind the question mark; of equal names the last one counts."""
    found: dict[str, str] = {}
    hosts: list[str] = []
    for name, value in _pairs(query, origin):
        known = ALIASES.get(name, name)
        if known not in KNOWN:
            after_password = not SECRETS.isdisjoint(found)
            raise SettingsError(_unknown(name, origin, after_password=after_password))
        if known == "host":
            hosts.extend(value.split(","))
        else:
            found[known] = SWITCHES.get(value, value) if name == "ssl" else value
    if hosts:
        found = join_hosts([split_place(host) for host in hosts]) | found
    return {name: value for name, value in found.items() if value}


def _pairs(query: str, origin: str) -> Iterator[tuple[str, str]]:
    for pair in query.split("&") if query else []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"{origin} has a parameter without a value: write name=value")
        # A plus is a plus, as libpq has it.
        yield _decode(name, origin), _decode(value, origin)


def _unknown(name: str, origin: str, *, after_password: bool) -> str:
    if after_password or not NAME.fullmatch(name):
        return f"{origin} has a parameter that is unknown: write %26 for an & in a value"
    advice = ADVICE.get(name, "remove it")
    return f"the parameter {name} in {origin} is not supported: {advice}"
