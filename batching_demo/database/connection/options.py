"""The parameter `options`: settings of the session, written as for the program `postgres`."""

import re
from collections.abc import Iterator

WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)
SETTING = re.compile(r"(?:-c|--)(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)


def read_options(text: str) -> dict[str, str]:
    """Return the settings that `-c name=value` or `--name=value` give.

    Whatever else there is stays together under the name `options`: some providers read from it
    which database is meant.
    """
    settings: dict[str, str] = {}
    others: list[str] = []
    for word in _joined(text):
        if setting := SETTING.fullmatch(_unescape(word)):
            settings[setting["name"].replace("-", "_").lower()] = setting["value"]
        else:
            others.append(word)
    return settings | ({"options": " ".join(others)} if others else {})


def _joined(text: str) -> Iterator[str]:
    """Split a text into words; a lone `-c` belongs to the next one."""
    words = iter(WORD.findall(text))
    for word in words:
        yield word + next(words, "") if word == "-c" else word


def _unescape(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL)
