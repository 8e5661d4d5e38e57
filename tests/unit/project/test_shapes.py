"""The documented shapes cover every command with --json, and notice what differs."""

from typing import Any

import click
import pytest

from batching_demo.cli.app import app
from tests.support.commands import tree
from tests.support.shapes import differences, documented


def test_every_command_with_json_is_documented() -> None:
    with_json = {
        " ".join(path)
        for path, command in tree(app)
        if not isinstance(command, click.Group)
        and any("--json" in parameter.opts for parameter in command.params)
    }
    assert documented().keys() == with_json


SHAPE = {
    ".": "object",
    ".a": "integer or null",
    ".b": "list",
    ".b[]": "object",
    ".b[].c": "text",
    ".m": "object",
    ".m.*": "number",
}
GOOD: dict[str, Any] = {"a": None, "b": [{"c": "x"}], "m": {"any": 1.5}}


@pytest.mark.parametrize(
    ("document", "difference"),
    [
        (GOOD, []),
        ([], [". is [], not object"]),
        (GOOD | {"a": True}, [".a is True, not integer or null"]),
        (GOOD | {"b": [{}]}, [".b[].c is missing"]),
        (GOOD | {"b": [{"c": "x", "d": 1}]}, [".b[].d is not documented"]),
        (GOOD | {"m": {"any": "x", "other": 1}}, [".m.* is 'x', not number"]),
    ],
)
def test_differences_are_noticed(document: Any, difference: list[str]) -> None:
    assert list(differences(document, SHAPE)) == difference
