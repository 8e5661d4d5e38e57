"""Which characters a database can hold, and how a text is kept that has others.

A database with the encoding UTF8 holds every character. In another one, a character that it lacks
is kept as JSON escapes it: 日 as \\u65e5. To tell such an escape from a text that looks like one,
the backslash of the latter is kept as \\u005c. So every text can be read back.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncConnection

HOLD_EVERYTHING = frozenset({"UTF8", "SQL_ASCII"})
"""SQL_ASCII takes the bytes of UTF-8 as they are."""
DIFFERENT = {"EUC_JP": "¢£¥¦¬‖‾\N{MINUS SIGN}〜"}
"""Characters that Python's codec maps otherwise than Postgres."""
CODECS = {"EUC_JIS_2004": "ascii"}
"""Python's codecs, where those of the same name differ too much."""
LONGEST_CHARACTER = 3
"""Bytes in Postgres; Python's EUC_KR spells rare syllables with 8."""

_ESCAPE = re.compile(r"\\u(?:(?!0000|d[89a-f])[0-9a-f]{4}|d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True)
class Encoding:
    """The encoding of a database, by Postgres' name for it."""

    name: str

    @property
    def holds_everything(self) -> bool:
        """Whether no text needs an escape."""
        return self.name in HOLD_EVERYTHING

    def holds(self, text: str) -> bool:
        """Return whether the database can hold a text as it is."""
        return self.holds_everything or all(map(self._holds, _NOT_ASCII.findall(text)))

    def escape(self, text: str) -> str:
        """Return a text that the database can hold, and that `unescape` undoes."""
        text = storable_text(text)
        if self.holds_everything:
            return text
        marked = _ESCAPE.sub(lambda looks_like_one: r"\u005c" + looks_like_one[0][1:], text)
        return _NOT_ASCII.sub(lambda it: it[0] if self._holds(it[0]) else escaped(it[0]), marked)

    def escape_all(self, texts: Sequence[str]) -> Sequence[str]:
        """Escape texts of which most are the same, or none needs it."""
        if self.holds_everything and _is_storable("".join(texts)):
            return texts
        known = {text: self.escape(text) for text in set(texts)}
        return [known[text] for text in texts]

    def unescape(self, text: str) -> str:
        """Return what `escape` was given, but for what no database can hold."""
        if self.holds_everything:
            return text
        return _ESCAPE.sub(lambda escape: unescaped(escape[0]), text)

    def _holds(self, character: str) -> bool:
        if character in DIFFERENT.get(self.name, ""):
            return False
        try:
            return len(character.encode(self._codec)) <= LONGEST_CHARACTER
        except UnicodeEncodeError:
            return False

    @cached_property
    def _codec(self) -> str:
        """Python's name of the encoding; of one that Python does not know, only ASCII counts."""
        try:
            name = self.name.replace("WIN", "cp").replace("KOI8", "koi8_")
            return codecs.lookup(CODECS.get(self.name, name)).name
        except LookupError:
            return "ascii"


def encoding_of(connection: AsyncConnection) -> Encoding:
    """Return the encoding of the connected database. The server has told it at the beginning."""
    assert connection.sync_connection
    driver = connection.sync_connection.connection.driver_connection
    assert driver
    return Encoding(driver.get_settings().server_encoding)


def storable_text(text: str) -> str:
    """Return a text as it is, but for what no database can hold: a NUL, and half a surrogate."""
    if _is_storable(text):
        return text
    return text.replace("\0", "\\u0000").encode(errors="backslashreplace").decode()


def _is_storable(text: str) -> bool:
    """Return whether any database can hold a text, at a glance."""
    return text.isascii() and "\0" not in text


def escaped(character: str) -> str:
    """Escape a character as JSON does, one beyond the first 65,536 as two surrogates."""
    utf16 = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{utf16[at : at + 4]}" for at in range(0, len(utf16), 4))


def unescaped(escapes: str) -> str:
    """Return the characters of escapes that stand side by side."""
    return bytes.fromhex(escapes.replace("\\u", "")).decode("utf-16-be", "surrogatepass")
