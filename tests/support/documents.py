"""The pages that users read, taken apart."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.root import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
_MARKDOWN = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True)
class Page:
    """A page: where its links lead, its anchors, and what it shows as code."""

    path: Path
    links: list[str]
    anchors: set[str]
    spans: list[str]
    """Code within a line."""
    blocks: list[str]
    """Blocks of code."""
    rows: list[list[str]]
    """The cells of every table, row by row, without backticks."""


def read(path: Path) -> Page:
    """Take a page apart."""
    tokens = _MARKDOWN.parse(path.read_text())
    inline = [child for token in tokens for child in token.children or ()]
    links = [str(token.attrs["href"]) for token in inline if token.type == "link_open"]
    images = [str(token.attrs["src"]) for token in inline if token.type == "image"]
    return Page(
        path,
        links + images,
        set(_anchors(tokens)),
        [" ".join(token.content.split()) for token in inline if token.type == "code_inline"],
        [token.content for token in tokens if token.type in ("fence", "code_block")],
        list(_rows(tokens)),
    )


def _rows(tokens: list[Token]) -> Iterator[list[str]]:
    cells: list[str] = []
    for opening, content in pairwise(tokens):
        if opening.type in ("td_open", "th_open"):
            cells.append(content.content.replace("`", ""))
        elif opening.type == "tr_close":
            yield cells
            cells = []


def _anchors(tokens: list[Token]) -> Iterator[str]:
    """Name headings as GitHub does."""
    seen: dict[str, int] = {}
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            kept = re.sub(r"[^\w\- ]", "", content.content.lower()).replace(" ", "-")
            number = seen[kept] = seen.get(kept, -1) + 1
            yield f"{kept}-{number}" if number else kept
