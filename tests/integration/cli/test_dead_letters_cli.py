"""`batching-demo dead-letters list`, `show` and `discard` on a real Postgres."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.commands import assert_one_line, dead_letters, dead_letters_json
from tests.support.database import execute
from tests.support.dead_letters import BAD, SECRET, letters, prepared, three, write

pytestmark = [pytest.mark.as_writer, pytest.mark.usefixtures("on_servers")]


def ids(listed: dict[str, Any]) -> list[int]:
    return [letter["id"] for letter in listed["letters"]]


class TestList:
    async def test_nothing_is_said_plainly(self) -> None:
        result = await dead_letters("list")
        assert (result.exit_code, result.stdout) == (0, "no open dead letters\n")
        result = await dead_letters("list", "--source", "a.csv", "--status", "all")
        assert (result.exit_code, result.stdout) == (0, "no dead letters of source a.csv\n")
        assert await dead_letters_json("list") == {"letters": [], "more": 0}

    async def test_a_line_a_letter_without_what_it_holds(self, engine: AsyncEngine) -> None:
        await three(engine)
        result = await dead_letters("list")
        header, *lines = result.stdout.splitlines()
        assert result.exit_code == 0
        assert header.split()[:4] == ["id", "reason", "sqlstate", "key"]
        assert lines[0].split()[:7] == [
            *("1", "refused_by_postgres", "23514", "k1", "orders.ndjson", "7", "1")
        ]
        assert len(lines) == 3
        assert SECRET not in result.output
        assert SECRET not in str(await dead_letters_json("list"))

    async def test_filters(self, engine: AsyncEngine) -> None:
        await three(engine)
        await execute(engine, "UPDATE dead_letters SET status = 'discarded' WHERE id = 2")
        assert ids(await dead_letters_json("list")) == [1, 3]
        assert ids(await dead_letters_json("list", "--status", "all")) == [1, 2, 3]
        assert ids(await dead_letters_json("list", "--status", "discarded")) == [2]
        assert ids(await dead_letters_json("list", "--source", "orders.ndjson")) == [1]
        assert ids(await dead_letters_json("list", "--reason", "field_count")) == [3]
        assert ids(await dead_letters_json("list", "3", "2")) == [2, 3]
        shown = (await dead_letters("list", "--status", "all")).stdout.splitlines()
        assert [line.split()[-1] for line in shown] == ["status", "open", "discarded", "open"]

    async def test_the_limit_says_how_many_more_there_are(self, engine: AsyncEngine) -> None:
        await three(engine)
        result = await dead_letters("list", "--limit", "2")
        assert result.stdout.splitlines()[-1] == "2 of 3; --limit 3 shows 1 more"
        listed = await dead_letters_json("list", "--limit", "2")
        assert (ids(listed), listed["more"]) == ([1, 2], 1)
        assert "more" not in (await dead_letters("list", "--limit", "3")).stdout

    async def test_a_key_cannot_steer_the_terminal(self, engine: AsyncEngine) -> None:
        key = "\x1b[31m[red]k\r\n"
        await write(engine, [prepared(key, "{}"), prepared(key, '{"a": 1}')])
        for command in (("list",), ("show", "1")):
            result = await dead_letters(*command)
            assert r"\x1b[31m[red]k\r\n" in result.stdout
            assert "\x1b" not in result.stdout


class TestShow:
    async def test_everything_of_a_letter(self, engine: AsyncEngine) -> None:
        await three(engine)
        result = await dead_letters("show", "1")
        assert result.exit_code == 0
        for words in (
            "dead letter 1",
            "k1",
            "orders.ndjson",
            "CheckViolation",
            "23514",
            "main-1",
            BAD,
        ):
            assert words in result.stdout
        (letter,) = (await dead_letters_json("show", "1"))["letters"]
        assert letter["record"] == BAD
        assert (letter["run_label"], letter["attempts"], letter["line"]) == ("label", 1, 7)

    async def test_by_source_it_shows_the_open_ones(self, engine: AsyncEngine) -> None:
        await three(engine)
        await dead_letters("discard", "1")
        assert ids(await dead_letters_json("show", "--source", "orders.ndjson")) == [2]


class TestDiscard:
    async def test_open_letters_once(self, engine: AsyncEngine) -> None:
        await three(engine)
        await execute(engine, "UPDATE dead_letters SET status = 'retried' WHERE id = 3")
        result = await dead_letters("discard", "1", "2", "3")
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [
            "dead letter 1: discarded",
            "dead letter 2: discarded",
            "dead letter 3: is retried already, and stays so",
        ]
        again = await dead_letters_json("discard", "1")
        assert again == {"letters": [{"id": 1, "status": "discarded", "changed": False}]}
        assert [row[2] for row in await letters(engine)] == ["discarded", "discarded", "retried"]

    async def test_by_reason(self, engine: AsyncEngine) -> None:
        await three(engine)
        result = await dead_letters("discard", "--reason", "invalid_json")
        assert result.stdout == "dead letter 2: discarded\n"
        result = await dead_letters("discard", "--reason", "invalid_json")
        expected = "no open dead letters of reason invalid_json\n"
        assert (result.exit_code, result.stdout) == (0, expected)


class TestRefusals:
    @pytest.mark.parametrize("command", ["list", "show", "discard", "retry"])
    async def test_an_unknown_id_changes_nothing(self, engine: AsyncEngine, command: str) -> None:
        await three(engine)
        result = await dead_letters(command, "1", "98", "99")
        assert_one_line(result, 1, "no dead letter 98, 99", "dead-letters list")
        assert {row[2:] for row in await letters(engine)} == {("open", 1)}

    @pytest.mark.parametrize("command", ["show", "discard", "retry"])
    async def test_no_selection(self, command: str) -> None:
        assert_one_line(
            await dead_letters(command), 2, "ids, --source NAME, --reason CODE or --target NAME"
        )
        result = await dead_letters(command, "1", "--source", "orders.ndjson")
        assert_one_line(result, 2, "either ids, or --source, --reason and --target")

    async def test_no_schema(
        self, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", empty_database_url)
        assert_one_line(await dead_letters("list"), 1, "batching-demo db upgrade")
