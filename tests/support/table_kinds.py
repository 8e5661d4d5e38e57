"""Own tables of all kinds, each with records for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Payload = dict[str, Any]


@dataclass(frozen=True)
class TableKind:
    """An own table, and records that go to it. {t} stands for the table."""

    columns: str
    """The definitions of its columns, as in SQL. A column `version` is added."""
    first: Payload
    same: Payload
    """The key and the content of `first`, in another spelling."""
    other: Payload
    """The key of `first` with other content."""
    second: Payload
    """Another key."""
    bad: Payload
    """What Postgres refuses."""
    sqlstate: str | None
    """Its SQLSTATE; None if it lacks a value for its key."""
    shown: str
    """SQL for what is stored of one row."""
    first_shown: str
    other_shown: str
    key: tuple[str, ...] = ("k",)
    fields: Mapping[str, str] = field(default_factory=dict)
    """The fields of columns that have another name."""
    before: tuple[str, ...] = ()
    """Statements that come before the table is created."""
    after: tuple[str, ...] = ()
    suffix: str = ""
    """What follows the columns."""
    table: str = "own"
    needs: str = ""
    """A query that returns no row if the server cannot have it."""


ICU = "SELECT 1 FROM pg_collation WHERE collname = 'de-x-icu'"
CITEXT = "SELECT 1 FROM pg_available_extensions WHERE name = 'citext'"

KINDS: dict[str, TableKind] = {
    "text": TableKind(
        "id bigint GENERATED ALWAYS AS IDENTITY, k text NOT NULL UNIQUE, v text NOT NULL",
        first={"k": "a", "v": "one"},
        same={"v": "one", "k": "a", "unknown": 1},
        other={"k": "a", "v": "two"},
        second={"k": "b", "v": "one"},
        bad={"k": "c"},
        sqlstate="23502",
        shown="v",
        first_shown="one",
        other_shown="two",
    ),
    "no key": TableKind(
        "k text PRIMARY KEY, v text",
        first={"k": "a"},
        same={"k": "a", "v": None},
        other={"k": "a", "v": "it's"},
        second={"k": "b"},
        bad={"k": None, "v": "one"},
        sqlstate=None,
        shown="coalesce(v, 'NULL')",
        first_shown="NULL",
        other_shown="it's",
    ),
    "composite key": TableKind(
        "tenant integer, k varchar(9), v numeric(12,2), UNIQUE (k, tenant)",
        key=("tenant", "k"),
        first={"tenant": 1, "k": "a", "v": "10.1"},
        same={"tenant": "1", "k": "a", "v": 10.10},
        other={"tenant": 1, "k": "a", "v": 10.115},
        second={"tenant": 2, "k": "a", "v": "1e3"},
        bad={"tenant": 3, "k": "longer than 9"},
        sqlstate="22001",
        shown="v",
        first_shown="10.10",
        other_shown="10.12",
    ),
    "numeric key": TableKind(
        "k numeric PRIMARY KEY, v double precision",
        first={"k": "1.0", "v": 0.1},
        same={"k": 1.00, "v": "1e-1"},
        other={"k": "1", "v": "NaN"},
        second={"k": "1.01", "v": 1},
        bad={"k": "one"},
        sqlstate="22P02",
        shown="v",
        first_shown="0.1",
        other_shown="NaN",
    ),
    "time": TableKind(
        "k timestamptz PRIMARY KEY, v date, t timestamp(0)",
        first={"k": "2024-01-01T12:00:00Z", "v": "2024-02-03", "t": "2024-01-01 00:00:00.4"},
        same={"k": "2024-01-01 14:00:00+02", "v": "20240203", "t": "2024-01-01"},
        other={"k": "2024-01-01T12:00Z", "v": "2024-02-04", "t": "2024-01-01"},
        second={"k": "2024-01-01T12:00:00.001Z"},
        bad={"k": "2024-01-01", "v": "2024-02-30"},
        sqlstate="22008",
        shown="v",
        first_shown="2024-02-03",
        other_shown="2024-02-04",
    ),
    "uuid": TableKind(
        "k uuid PRIMARY KEY, v bytea, made uuid NOT NULL DEFAULT gen_random_uuid()",
        first={"k": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "v": r"\x00ff"},
        same={"k": "{A0EEBC99-9C0B4EF8BB6D6BB9BD380A11}", "v": r"\x00FF"},
        other={"k": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "v": "text"},
        second={"k": "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "v": None},
        bad={"k": "c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "v": r"\x0"},
        sqlstate="22023",
        shown="v",
        first_shown=r"\x00ff",
        other_shown=r"\x74657874",
    ),
    "enum of another schema": TableKind(
        "k billing.state PRIMARY KEY, v billing.state[]",
        before=(
            "CREATE SCHEMA billing",
            "CREATE TYPE billing.state AS ENUM ('open', 'in doubt', 'paid')",
        ),
        table="billing.own",
        first={"k": "open", "v": ["paid", None]},
        same={"k": "open", "v": "{paid,NULL}"},
        other={"k": "open", "v": ["in doubt"]},
        second={"k": "paid", "v": []},
        bad={"k": "in doubt", "v": ["lost"]},
        sqlstate="22P02",
        shown="v",
        first_shown="{paid,NULL}",
        other_shown='{"in doubt"}',
    ),
    "arrays": TableKind(
        "k integer PRIMARY KEY, v integer[], w text[] NOT NULL DEFAULT '{}'",
        first={"k": 1, "v": [[1, 2], [3, 4]], "w": ["a,b", '"', None]},
        same={"k": "1", "v": [["1", 2], [3, 4]], "w": ["a,b", '"', None]},
        other={"k": 1, "v": [1]},
        second={"k": 2, "v": None},
        bad={"k": 3, "v": [[1], [2, 3]]},
        sqlstate="22P02",
        shown="v",
        first_shown="{{1,2},{3,4}}",
        other_shown="{1}",
    ),
    "json": TableKind(
        "k smallint PRIMARY KEY, v jsonb, w json, x json[]",
        first={"k": 1, "v": {"b": [1, None], "a": 1.0}, "w": {"b": 1, "a": 2}, "x": [{"a": 1}]},
        same={"k": 1, "v": {"a": 1.00, "b": [1, None]}, "w": {"a": 2, "b": 1}, "x": [{"a": 1}]},
        other={"k": 1, "v": "text", "w": {"b": 1, "a": 2}, "x": [{"a": 1}]},
        second={"k": 2, "v": None, "w": None},
        bad={"k": 70000},
        sqlstate="22003",
        shown="v",
        first_shown='{"a": 1.0, "b": [1, null]}',
        other_shown='"text"',
    ),
    "without equality": TableKind(
        "k boolean PRIMARY KEY, v point, w box, x xml, y pair",
        before=("CREATE TYPE pair AS (p point, n integer)",),
        first={"k": True, "v": "(1,2)", "w": "(1,1),(0,0)", "y": {"p": "(1,2)", "n": 3}},
        same={"k": "yes", "v": "1,2", "w": "(0,0),(1,1)", "y": {"n": 3, "p": "( 1, 2)"}},
        # Its area is the same.
        other={"k": True, "v": "(1,2)", "w": "(2,2),(1,1)", "y": {"p": "(1,2)", "n": 3}},
        second={"k": False},
        bad={"k": False, "v": "nowhere"},
        sqlstate="22P02",
        shown="w",
        first_shown="(1,1),(0,0)",
        other_shown="(2,2),(1,1)",
    ),
    "domain": TableKind(
        "k amount PRIMARY KEY, v state, w text CHECK (w <> 'bad'), x price DEFAULT 1,"
        " y interval hour DEFAULT '1:00'",
        before=(
            "CREATE DOMAIN amount AS numeric(9,2) CHECK (VALUE > 0)",
            "CREATE DOMAIN state AS text NOT NULL DEFAULT 'new' CHECK (VALUE <> 'bad')",
            "CREATE DOMAIN price AS amount",
        ),
        first={"k": "1.001", "x": "2.345", "y": "2:30"},
        same={"k": 1, "x": "2.346", "y": "2:59"},
        other={"k": "1.0", "v": "old"},
        second={"k": 2, "v": "old"},
        bad={"k": -1},
        sqlstate="23514",
        shown="v",
        first_shown="new",
        other_shown="old",
    ),
    "domain with a default as key": TableKind(
        "k amount PRIMARY KEY, v text",
        before=("CREATE DOMAIN amount AS numeric(9,2) DEFAULT 7 CHECK (VALUE > 0)",),
        first={"k": "1.001", "v": "one"},
        same={"k": 1, "v": "one"},
        other={"k": "1.002", "v": "two"},
        second={"v": "one"},
        bad={"k": -1},
        sqlstate="23514",
        shown="v",
        first_shown="one",
        other_shown="two",
    ),
    "composite type as key": TableKind(
        "k pair PRIMARY KEY, v text",
        before=("CREATE TYPE pair AS (a integer, b text)",),
        first={"k": {"a": 1}, "v": "one"},
        same={"k": "(1,)", "v": "one"},
        other={"k": {"a": 1, "b": None}, "v": "two"},
        second={"k": {"a": 1, "b": "x"}, "v": "one"},
        bad={"k": {"a": "x"}},
        sqlstate="22P02",
        shown="v",
        first_shown="one",
        other_shown="two",
    ),
    "generated and defaults": TableKind(
        "id integer GENERATED BY DEFAULT AS IDENTITY, k text PRIMARY KEY, v integer DEFAULT 7,"
        " doubled integer GENERATED ALWAYS AS (v * 2) STORED, n serial,"
        " made_at timestamptz NOT NULL DEFAULT clock_timestamp(), state varchar(9) DEFAULT 'new'",
        first={"k": "a"},
        same={"k": "a", "v": 7, "state": "new"},
        other={"k": "a", "v": None, "state": "old"},
        second={"k": "b", "id": 4711, "doubled": 1},
        bad={"k": "c", "state": "older than old"},
        sqlstate="22001",
        shown="concat_ws(' ', state, doubled)",
        first_shown="new 14",
        other_shown="old",
    ),
    "partitioned": TableKind(
        "day date, k integer, v text, PRIMARY KEY (day, k)",
        suffix="PARTITION BY RANGE (day)",
        after=(
            "CREATE TABLE own_1 PARTITION OF own FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
            "CREATE TABLE own_2 (v text, version integer DEFAULT 1, k integer NOT NULL,"
            " day date NOT NULL)",
            "ALTER TABLE own ATTACH PARTITION own_2 FOR VALUES FROM ('2024-02-01') TO (MAXVALUE)",
        ),
        key=("day", "k"),
        first={"day": "2024-01-31", "k": 1, "v": "one"},
        same={"day": "31 Jan 2024", "k": 1, "v": "one"},
        other={"day": "2024-01-31", "k": 1, "v": "two"},
        second={"day": "2024-02-01", "k": 1, "v": "one"},
        bad={"day": "2023-12-31", "k": 1, "v": "one"},
        sqlstate="23514",
        shown="v",
        first_shown="one",
        other_shown="two",
    ),
    "odd names": TableKind(
        '"Key of it" text, "select" integer, "a""b" text, "#place" text, "Größe" integer,'
        ' place integer, "%s" text, ":x" text, UNIQUE ("Key of it", "select")',
        table='"My ""own"" table"',
        key=("Key of it", "select"),
        fields={"Größe": "grösse des feldes " * 4, ":x": "Key of it"},
        first={"Key of it": "a", "select": 1, 'a"b': "it's", "#place": "p", "%s": "%"},
        same={"Key of it": "a", "select": 1, 'a"b': "it's", "#place": "p", "%s": "%"},
        other={"Key of it": "a", "select": 1, "grösse des feldes " * 4: 7},
        second={"Key of it": "b", "select": 1},
        bad={"Key of it": "b", "select": 2, "grösse des feldes " * 4: "large"},
        sqlstate="22P02",
        shown='concat_ws(\' \', "a""b", "#place", "%s", "Größe", "\\:x")',
        first_shown="it's p % a",
        other_shown="it's p % 7 a",
    ),
    "names of our statements": TableKind(
        "k text PRIMARY KEY, v text, code text, winner text, stored text",
        table="other.receipts",
        before=("CREATE SCHEMA other",),
        first={"k": "a", "v": "one", "code": "r", "winner": "x"},
        same={"k": "a", "v": "one", "code": "r", "winner": "x"},
        other={"k": "a", "v": "two"},
        second={"k": "b"},
        bad={"k": "\udc00"},
        sqlstate="22P02",
        shown="v",
        first_shown="one",
        other_shown="two",
    ),
    "foreign key": TableKind(
        "k text PRIMARY KEY, v integer REFERENCES parents",
        before=(
            "CREATE TABLE parents (id integer PRIMARY KEY)",
            "INSERT INTO parents VALUES (1), (2)",
        ),
        first={"k": "a", "v": 1},
        same={"k": "a", "v": 1},
        other={"k": "a", "v": 2},
        second={"k": "b", "v": 2},
        bad={"k": "c", "v": 3},
        sqlstate="23503",
        shown="v",
        first_shown="1",
        other_shown="2",
    ),
    "citext": TableKind(
        "k citext PRIMARY KEY, v citext",
        before=("CREATE EXTENSION citext",),
        needs=CITEXT,
        first={"k": "C-1", "v": "One"},
        same={"k": "c-1", "v": "one"},
        other={"k": "C-1", "v": "two"},
        second={"k": "C-2"},
        bad={"v": "no key"},
        sqlstate=None,
        shown="v",
        first_shown="One",
        other_shown="two",
    ),
    "collation": TableKind(
        "k text COLLATE either PRIMARY KEY, v text CHECK (v <> 'bad')",
        before=(
            "CREATE COLLATION either (provider = icu, locale = 'und-u-ks-level2',"
            " deterministic = false)",
        ),
        needs=ICU,
        first={"k": "C-1", "v": "one"},
        same={"k": "c-1", "v": "one"},
        other={"k": "C-1", "v": "two"},
        second={"k": "C-2"},
        bad={"k": "", "v": "bad"},
        sqlstate="23514",
        shown="v",
        first_shown="one",
        other_shown="two",
    ),
    "padded": TableKind(
        "k char(8) PRIMARY KEY, v varchar(3)",
        first={"k": "c-1", "v": "one"},
        same={"k": "c-1  ", "v": "one  "},
        other={"k": "c-1", "v": "two"},
        second={"k": "12345678"},
        bad={"k": "123456789"},
        sqlstate="22001",
        shown="v",
        first_shown="one",
        other_shown="two",
    ),
}
