"""The public names: docs/api.md describes each, and a workflow file loads no database driver."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import EnumType
from operator import attrgetter
from types import NoneType

import pytest

import batching_demo
from tests.support.documents import read
from tests.support.root import ROOT

NAMES = sorted(batching_demo.__all__)
PAGE = ROOT / "docs" / "api.md"
ENUMERATIONS = [name for name in NAMES if isinstance(getattr(batching_demo, name), EnumType)]
CODES = re.findall(r"`(\w+)`", PAGE.read_text().partition("| reason |")[2].partition("\n\n")[0])
SOME_DEFAULT = "some default, which is no constant"
LIBRARIES = {"asyncpg", "sqlalchemy", "temporalio"}


def declared() -> Iterator[tuple[str, object]]:
    """Find the names that type checkers see, and what each of them is."""
    tree = ast.parse((ROOT / "batching_demo" / "__init__.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("batching_demo."):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                yield alias.asname or alias.name, getattr(module, alias.name)


def test_every_name_is_what_type_checkers_see() -> None:
    found = dict(declared())
    assert sorted(found) == NAMES
    for name in NAMES:
        assert getattr(batching_demo, name) is found[name]


def test_dir_names_all() -> None:
    assert set(NAMES) <= set(dir(batching_demo))


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nobody'"):
        _ = batching_demo.Nobody


def test_the_page_has_a_heading_for_each_name() -> None:
    assert re.findall(r"^## `(\w+)`$", PAGE.read_text(), re.MULTILINE) == NAMES


def shown_signatures() -> dict[str, ast.FunctionDef]:
    """Parse the signatures of the page, by name."""
    found = {}
    for block in read(PAGE).blocks:
        name, _, rest = block.strip().partition("(")
        (definition,) = ast.parse(f"def shown({rest}: ...").body
        assert isinstance(definition, ast.FunctionDef)
        found[name] = definition
    return found


def shown_arguments(definition: ast.FunctionDef) -> list[tuple[str, str, object]]:
    """List the arguments of a definition: name, kind and default."""
    arguments, kinds = definition.args, inspect.Parameter
    required = [None] * (len(arguments.args) - len(arguments.defaults))
    positional = zip(arguments.args, [*required, *arguments.defaults], strict=True)
    keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [
        *((one.arg, kinds.POSITIONAL_OR_KEYWORD.name, shown_default(to)) for one, to in positional),
        *((one.arg, kinds.KEYWORD_ONLY.name, shown_default(to)) for one, to in keyword),
    ]


def shown_default(default: ast.expr | None) -> object:
    if isinstance(default, ast.Constant):
        return default.value
    return SOME_DEFAULT if default else inspect.Parameter.empty


def real_default(default: object) -> object:
    is_constant = default is inspect.Parameter.empty or type(default) in (
        bool,
        int,
        float,
        str,
        NoneType,
    )
    return default if is_constant else SOME_DEFAULT


@pytest.mark.parametrize(("name", "definition"), shown_signatures().items())
def test_the_page_shows_the_arguments(name: str, definition: ast.FunctionDef) -> None:
    parameters = inspect.signature(attrgetter(name)(batching_demo)).parameters.values()
    assert shown_arguments(definition) == [
        (one.name, one.kind.name, real_default(one.default))
        for one in parameters
        if one.name != "self"
    ]


def test_every_name_but_an_enumeration_has_a_signature() -> None:
    shown = {name.partition(".")[0] for name in shown_signatures()}
    assert sorted(shown | set(ENUMERATIONS)) == NAMES
    assert len(ENUMERATIONS) == 3


@pytest.mark.parametrize("name", ENUMERATIONS)
def test_the_page_shows_every_value(name: str) -> None:
    section = PAGE.read_text().partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]
    values = [value.value for value in getattr(batching_demo, name)]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == values


def test_the_reasons_of_the_page_are_those_of_the_code() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "batching_demo").rglob("*.py"))
    assert len(CODES) > 10
    assert [one for one in CODES if not re.search(rf'"{one}[":]', code)] == []


LOADING = f"""
import sys
def loaded():
    return sorted({LIBRARIES!r} & sys.modules.keys())
import batching_demo.cli.app, batching_demo.cli.dev, batching_demo.cli.psql
print(loaded())
import batching_demo.main_service.worker
import examples.orders.workflow, examples.orders.worker
from batching_demo import BatcherSettings, BatchingPlugin, Record, Requester, WritePath
print(loaded())
batching_demo.TargetError
print(loaded())
"""


def test_libraries_are_loaded_by_those_who_use_them() -> None:
    """Of the commands, those that ask no server; whoever submits; the batcher worker."""
    loaded = subprocess.check_output([sys.executable, "-c", LOADING], cwd=ROOT, text=True)
    assert loaded.splitlines() == [
        "[]",
        "['temporalio']",
        "['asyncpg', 'sqlalchemy', 'temporalio']",
    ]
