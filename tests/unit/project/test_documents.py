"""Links lead somewhere, and every command and option that a page names exists."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from batching_demo.cli.app import app
from batching_demo.settings import POOLER, QUEUE_URL, TARGETS
from tests.support.commands import tree
from tests.support.documents import PAGES, Page, read
from tests.support.root import ROOT
from tools.benchmark.__main__ import main as benchmark
from tools.chaos.__main__ import main as chaos

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
OTHERS = {"--", "--help", "--address", "--sql"}
"""Of all commands, of the Temporal CLI, and of Alembic."""
_CALL = re.compile(r"(?:^|[\s/])batching-demo ([-a-z].*)|\$\(batching-demo ([^)]*)\)")


TREE = dict(tree(app))
COMMANDS = {path: one for path, one in TREE.items() if not isinstance(one, click.Group)}
GROUPS = TREE.keys() - COMMANDS.keys()


def named_options(command: click.Command) -> set[str]:
    named = [name for one in command.params for name in (*one.opts, *one.secondary_opts)]
    return {name for name in named if name.startswith("--")}


def options() -> set[str]:
    every = [app, *COMMANDS.values(), chaos, benchmark]
    return set().union(*(named_options(command) for command in every)) | OTHERS


@pytest.fixture(scope="module")
def pages() -> list[Page]:
    return [read(path) for path in PAGES]


def called(text: str) -> list[str]:
    return [plain or substituted for plain, substituted in _CALL.findall(text)]


def calls(page: Page) -> Iterator[str]:
    """Find what a page calls `batching-demo` with, in a line of code or within a text."""
    for block in page.blocks:
        for line in block.splitlines():
            # What a program prints names commands between backticks.
            quoted = re.findall(r"`([^`]*)`", line)
            for text in quoted or [line]:
                yield from called(text)
    for span in page.spans:
        yield from called(span)


def words_of(call: str) -> list[str]:
    """Split a call as a shell would, up to what is piped, redirected or commented."""
    words = shlex.shlex(call, posix=True, punctuation_chars="|&;>")
    words.whitespace_split = True
    return list(takewhile(lambda word: not word.startswith(("|", "&", ";", ">")), words))


def problem_of(call: str) -> str | None:
    """Return what is wrong with a call, if anything."""
    words = words_of(call)
    while words[0].startswith("--"):
        if words[0] not in named_options(app):
            return f"no option {words[0]} before a command"
        words = words[2:]
    depth = 2 if tuple(words[:1]) in GROUPS else 1
    command = COMMANDS.get(tuple(words[:depth]))
    if command is None:
        return f"no command {' '.join(words[:depth])}"
    arguments = words[depth : words.index("--")] if "--" in words else words[depth:]
    used = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    unknown = used - named_options(command) - {"--help"}
    return f"no option {', '.join(sorted(unknown))} in {call}" if unknown else None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in read(path).links:
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in read(target).anchors, link


def test_the_index_names_every_page() -> None:
    linked = {(ROOT / link).resolve() for link in read(ROOT / "README.md").links if ":" not in link}
    assert set(PAGES) - {ROOT / "README.md"} <= linked


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_call_is_one_that_exists(path: Path) -> None:
    found = [problem for call in calls(read(path)) if (problem := problem_of(call))]
    assert found == []


def test_calls_that_do_not_exist_are_noticed() -> None:
    assert problem_of("batcher begin") == "no command batcher begin"
    assert (
        problem_of("db upgrade --shards 2 # twice")
        == "no option --shards in db upgrade --shards 2 # twice"
    )
    assert problem_of("--shards 2 doctor") == "no option --shards before a command"
    assert problem_of("psql -- --command x") is None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_option_is_one_that_exists(path: Path) -> None:
    named = {
        span.split()[0].partition("=")[0] for span in read(path).spans if span.startswith("--")
    }
    assert named - options() == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_program_and_folder_is_there(path: Path) -> None:
    text = path.read_text()
    named = re.findall(r"\b(?:scripts|tests|tools|batching_demo|alembic|examples)/[\w/.]*\w", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_module_that_contributors_are_sent_to_is_there() -> None:
    named = {span for span in read(CONTRIBUTING).spans if re.fullmatch(r"[\w/]+\.py", span)}
    folders = ("batching_demo", "tests", "tools", "examples")
    there = [f"/{path}" for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in there)] == []


def test_contributors_read_the_layers_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["id"] == "layers")
    arrows = " -> ".join(layers).replace("batching_demo.", "")
    assert arrows in [" ".join(block.split()) for block in read(CONTRIBUTING).blocks]


def test_continuous_integration_runs_what_the_readme_says() -> None:
    assert "scripts/test" in "".join(read(ROOT / "README.md").blocks)
    assert "exec scripts/check" in (ROOT / ".ci" / "run").read_text()
    assert '"$root/scripts/test"' in (ROOT / "scripts" / "check").read_text()


@pytest.mark.parametrize("path", TREE, ids=lambda path: " ".join(path) or "itself")
def test_help_shows_calls_of_the_command(path: tuple[str, ...]) -> None:
    _, _, examples = (TREE[path].help or "").partition("Example")
    shown = [call for line in examples.splitlines() for call in called(line)]
    assert shown
    assert [call for call in shown if call.split()[: len(path)] != list(path)] == []
    assert [problem for call in shown if (problem := problem_of(call))] == []


def test_every_command_is_in_a_page(pages: list[Page]) -> None:
    text = "\n".join(call for page in pages for call in calls(page))
    missing = [
        path for path in COMMANDS if not re.search(rf"^{' '.join(path)}\b", text, re.MULTILINE)
    ]
    assert missing == []


Configured = tuple[tuple[str, ...], click.Option]
"""A command, and one of its options that takes a value or has an environment variable."""


def configured() -> Iterator[Configured]:
    for path, command in ((("all",), app), *COMMANDS.items()):
        for one in command.params:
            if not isinstance(one, click.Option) or one.is_eager:
                continue
            if not one.is_flag or variable_of(one):
                yield path, one


def shown(one: click.Option) -> str:
    """Return the names of an option, as the tables have them."""
    return ", ".join([one.opts[0], *one.secondary_opts])


def variable_of(one: click.Option) -> str | None:
    return one.envvar if isinstance(one.envvar, str) else None


CONFIGURATION = read(ROOT / "docs" / "configuration.md").rows
WITH_VARIABLE = [tuple(row) for row in CONFIGURATION if len(row) == 5]
WITHOUT_VARIABLE = [("", *row) for row in CONFIGURATION if len(row) == 4]
ROWS = [row for row in (*WITH_VARIABLE, *WITHOUT_VARIABLE) if row[1] != "option"]


@pytest.mark.parametrize(("path", "one"), list(configured()))
def test_every_option_is_in_a_table_with_its_default(
    path: tuple[str, ...], one: click.Option
) -> None:
    named = (variable_of(one) or "", shown(one))
    rows = [row for row in ROWS if row[:2] == named and " ".join(path) in row[4].split(", ")]
    ((_, _, default, _, _),) = rows
    if isinstance(one.default, bool):
        assert default == ("on" if one.default else "off")
    elif isinstance(one.default, int | float):
        assert float(default) == float(one.default)
    elif isinstance(one.default, str):
        assert default.partition(";")[0] == one.default


def test_the_tables_have_no_option_that_does_not_exist() -> None:
    known = {(variable_of(one) or "", shown(one), " ".join(path)) for path, one in configured()}
    named = {(row[0], row[1], command) for row in ROWS for command in row[4].split(", ")}
    assert named == known


def test_only_workers_batchers_and_logs_are_configured_by_the_environment() -> None:
    """And how database and queue are reached, and the targets: the same for all commands."""
    own = ((path, variable_of(one)) for path, one in configured())
    of_all = (None, POOLER, TARGETS, QUEUE_URL)
    commands = {" ".join(path) for path, variable in own if variable not in of_all}
    intake = {"intake send", "intake status", "intake worker"}
    servers = {"batcher worker", "codec-server", "main worker"}
    assert commands == {"all", "batcher start", *servers, *intake}
