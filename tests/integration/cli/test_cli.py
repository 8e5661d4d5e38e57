"""What a user meets: help, refusals, missing servers. One line each, no traceback."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.cli.app import app
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.ports import find_free_port
from batching_demo.operator.start import start_batchers
from tests.support.commands import aside, assert_one_line, run, tree
from tests.support.services import batcher_service, both_services
from tests.support.shapes import parsed


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty state directory, and servers that are not there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{find_free_port()}")
    nothing = f"postgresql://nobody:hunter2@127.0.0.1:{find_free_port()}/nothing"
    monkeypatch.setenv("DATABASE_URL", nothing)


@pytest.mark.parametrize("path", [path for path, _ in tree(app)], ids=" ".join)
def test_every_command_has_help(path: Sequence[str]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


@pytest.mark.usefixtures("environment")
class TestRefusals:
    """Before any server is asked."""

    def test_a_file_that_does_not_exist(self) -> None:
        result = run("main", "start", "--input", "absent.csv")
        assert_one_line(result, 2, "absent.csv")

    def test_a_missing_key_column(self, tmp_path: Path) -> None:
        path = tmp_path / "orders.csv"
        path.write_text("id,item\n1,apple\n")
        result = run("main", "start", "--input", str(path), "--key", "order")
        assert_one_line(result, 2, "order", "id", "item")

    def test_a_format_that_nothing_tells(self, tmp_path: Path) -> None:
        path = tmp_path / "orders.txt"
        path.write_text("id,item\n1,apple\n")
        assert_one_line(run("main", "start", "--input", str(path)), 2, "--format")

    def test_a_key_that_no_record_has(self, tmp_path: Path) -> None:
        path = tmp_path / "orders.ndjson"
        path.write_text('{"id": 1}\n' * 2_000)
        for command in (["main", "start"], ["compare", "--records", "9"]):
            result = run(*command, "--input", str(path), "--key", "order")
            assert_one_line(result, 2, "'order', which --key names; they have 'id'")

    @pytest.mark.parametrize(
        ("command", "option"),
        [
            ("main start --key a --key b --format csv --format ndjson", "--format"),
            ("main start --wait --no-wait", "--wait/--no-wait"),
            ("--log-format json --log-format text demo", "--log-format"),
            ("batcher start --linger 1 --max-records 5 --linger=2", "--linger"),
            ("dead-letters list --limit 5 --limit 6", "--limit"),
        ],
    )
    def test_an_option_given_twice(self, command: str, option: str) -> None:
        assert_one_line(run(*command.split()), 2, f"{option} is given 2 times")

    def test_inputs_that_cannot_all_be_loaded(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("id\n1\n")
        (tmp_path / "b.txt").write_text("id\n2\n")
        a, b = str(tmp_path / "a.csv"), str(tmp_path / "b.txt")
        assert_one_line(run("main", "start", "--input", a, "--input", b), 2, "b.txt", "--format")
        assert_one_line(run("main", "start", "--input", str(tmp_path)), 2, "b.txt", "--format")
        twice = ("--input", "-", "--input", "/dev/stdin")
        assert_one_line(run("main", "start", *twice), 2, "standard input can be read only once")
        both = ("compare", "--records", "1", "--format", "csv", "--input", str(tmp_path))
        assert_one_line(run(*both), 2, "takes one file")
        (tmp_path / "more").mkdir()
        assert_one_line(run("main", "start", "--input", str(tmp_path)), 2, "more", "directory")
        assert_one_line(run("main", "start", "--input", str(tmp_path / "more")), 2, "no file")

    def test_a_delimiter_that_is_none(self) -> None:
        assert_one_line(run("main", "start", "--delimiter", "ab"), 2, "--delimiter")

    @pytest.mark.parametrize("label", ["", "x" * 101, "two\nlines"])
    def test_a_run_label_that_is_none(self, label: str) -> None:
        assert_one_line(run("main", "start", f"--again={label}"), 2, "--again")

    def test_an_encoding_that_is_none(self) -> None:
        result = run("main", "start", "--input", "orders.csv", "--encoding", "base64")
        assert_one_line(result, 2, "base64", "utf-8")

    @pytest.mark.parametrize("seconds", ["inf", "nan", "-1", "1e300"])
    def test_a_linger_that_no_timer_can_run(self, seconds: str) -> None:
        assert_one_line(run("batcher", "start", "--linger", seconds), 2, "--linger")

    @pytest.mark.parametrize(
        "command",
        [
            ("batcher", "start", "--max-writes-per-second", "nan"),
            ("batcher", "worker", "--max-writes-per-second", "inf"),
            ("batches", "--shard", "1000"),
            ("batches", "--limit", str(2**63)),
        ],
    )
    def test_a_number_that_cannot_be_meant(self, command: tuple[str, ...]) -> None:
        assert_one_line(run(*command), 2, command[-2])

    def test_more_records_than_there_are(self) -> None:
        assert_one_line(run("compare", "--records", "5000"), 2, "2,000")

    def test_a_database_url_that_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@localhost/db")
        assert_one_line(run("db", "upgrade"), 1, "postgresql://")

    @pytest.mark.parametrize("missing", ["DATABASE_URL", "TEMPORAL_ADDRESS"])
    def test_half_an_environment_for_the_demo(
        self, missing: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(missing)
        result = run("demo", "--use-environment")
        assert_one_line(result, 2, "needs both servers named", missing)

    @pytest.mark.parametrize(
        "command",
        ["db upgrade", "db url", "psql", "dead-letters list", "batcher worker", "doctor"],
    )
    def test_no_command_prints_a_part_of_a_password(
        self, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://ann:first@hunter2@db.example/shop")
        result = run(*command.split())
        assert result.exit_code == 1
        assert "DATABASE_URL is ambiguous: write %40 for an @" in " ".join(result.output.split())
        assert not any(part in result.output for part in ("first", "hunter2", "db.example"))

    def test_two_variables_that_name_a_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL_FILE", "/absent")
        assert_one_line(run("db", "url"), 1, "DATABASE_URL and DATABASE_URL_FILE are both set")
        monkeypatch.delenv("DATABASE_URL")
        assert_one_line(run("db", "url"), 1, "DATABASE_URL_FILE: cannot read /absent")


@pytest.mark.usefixtures("environment")
class TestMissingServers:
    """Each is named, with what to do about it."""

    @pytest.mark.parametrize(
        "command", [("main", "start"), ("batcher", "start"), ("compare",)], ids=" ".join
    )
    def test_temporal_is_down(self, command: Sequence[str]) -> None:
        assert_one_line(run(*command), 1, "Temporal", "127.0.0.1", "correct TEMPORAL_ADDRESS")

    def test_postgres_is_down(self) -> None:
        assert_one_line(run("db", "upgrade"), 1, "Postgres", "DATABASE_URL")

    def test_no_database_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL")
        for command in (("db", "url"), ("batcher", "worker"), ("psql",)):
            assert_one_line(run(*command), 1, "DATABASE_URL", "dev up")


@pytest.mark.usefixtures("on_servers")
class TestOnServers:
    """With real servers, but something else missing."""

    async def test_no_schema(
        self, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", empty_database_url)
        assert_one_line(await aside("compare"), 1, "batching-demo db upgrade")

    async def test_a_wrong_password(
        self, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = make_url(servers["DATABASE_URL"]).set(password="hunter2%")
        monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
        assert_one_line(await aside("db", "upgrade"), 1, "password in DATABASE_URL is wrong")

    async def test_no_such_database(
        self, servers: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = make_url(servers["DATABASE_URL"]).set(database="absent")
        monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
        assert_one_line(await aside("db", "upgrade"), 1, "database in DATABASE_URL does not exist")

    async def test_no_worker(self) -> None:
        assert_one_line(await aside("compare"), 1, "batching-demo batcher worker")

    async def test_no_batcher(self, client: Client, engine: AsyncEngine) -> None:
        async with both_services(client, engine):
            assert_one_line(await aside("compare"), 1, "batching-demo batcher start")

    async def test_starting_a_batcher_twice(self) -> None:
        first = await aside("batcher", "start", "--linger", "3")
        assert (first.exit_code, first.stdout) == (0, "batcher-0: started\n")
        again = await aside("batcher", "start", "--linger", "4")
        assert again.exit_code == 0
        assert "runs already" in again.stdout
        assert "linger_seconds is 3, not 4" in again.stdout

    @pytest.mark.parametrize("content", ["", "id,item\n", "id,item"])
    async def test_no_records(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "orders.csv"
        path.write_text(content)
        result = await aside("main", "start", "--input", str(path))
        assert result.exit_code == 0
        assert "0 records" in result.stdout

    async def test_counts_without_waiting(self, client: Client, engine: AsyncEngine) -> None:
        async with batcher_service(client, engine):
            result = await aside("main", "start", "--no-wait", "--json")
        assert result.exit_code == 0
        counts = parsed("main start", result.stdout)
        assert "batching-demo main worker" in result.stderr
        assert counts.pop("seconds") > 0
        assert counts == {
            "read": 5,
            "written": None,
            "duplicate": None,
            "conflict": None,
            "rejected": None,
            "updated": None,
            "stale": None,
            "already_done": 0,
            "pending": 5,
            "workflows": 5,
            "requests": 0,
            "started": 5,
            "attached": 0,
            "failures": [],
        }

    async def test_counts_and_exit_code_of_conflicts(
        self, client: Client, engine: AsyncEngine, tmp_path: Path
    ) -> None:
        path = tmp_path / "orders.ndjson"
        path.write_text('{"id": 1}\n{"id": 1, "x": 1}\n{"id": null}\n')
        await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
        arguments = ["main", "start", "--input", str(path), "--key", "id", "--json"]
        async with both_services(client, engine):
            result = await aside(*arguments, "--records-per-workflow", "3")
            assert result.exit_code == 3
            counts = parsed("main start", result.stdout)
            counted = [counts[name] for name in ("read", "written", "conflict", "rejected")]
            assert counted == [3, 1, 1, 1]
            assert counts["pending"] == 0
            again = await aside(*arguments, "--records-per-workflow", "3", "--again=second")
        counts = parsed("main start", again.stdout)
        counted = [counts[name] for name in ("read", "duplicate", "conflict", "rejected")]
        assert counted == [3, 1, 1, 1]
