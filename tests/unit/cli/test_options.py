"""The parameter `options`, by the rules of Postgres' own command line."""

import pytest

from batching_demo.database.connection.options import read_options


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("-csearch_path=app", {"search_path": "app"}),
        ("-c search_path=a,b  --work-mem=8MB", {"search_path": "a,b", "work_mem": "8MB"}),
        ("-c  TimeZone=UTC", {"timezone": "UTC"}),
        (r"-c a.b=with\ space\\", {"a.b": "with space\\"}),
        ("-c a=b=c", {"a": "b=c"}),
        ("-ca=1 -ca=2", {"a": "2"}),
        ("project=x -c a=1", {"a": "1", "options": "project=x"}),
        (r"-d 3 x\ y", {"options": r"-d 3 x\ y"}),
        ("-c", {"options": "-c"}),
    ],
)  # fmt: skip
def test_settings_are_taken_out(text: str, settings: dict[str, str]) -> None:
    assert read_options(text) == settings
