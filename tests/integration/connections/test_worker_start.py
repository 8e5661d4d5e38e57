"""A batcher worker looks at its database when it starts."""

from typing import Any

import pytest
from sqlalchemy import make_url

from batching_demo.cli.batcher.worker import warn_of_database
from batching_demo.database.engine import create_engine


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({}, None),
        ({"password": "hunter2"}, "the password in DATABASE_URL is wrong"),
        ({"database": "absent"}, "the database in DATABASE_URL does not exist"),
    ],
)
async def test_what_is_wrong_is_logged_once(
    servers: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    warning: str | None,
) -> None:
    url = make_url(servers["DATABASE_URL"]).set(**changes).render_as_string(hide_password=False)
    engine = create_engine(url, application_name="test", pool_size=1)
    try:
        await warn_of_database(engine, "a place")
    finally:
        await engine.dispose()
    lines = [line.getMessage() for line in caplog.records if line.levelname == "WARNING"]
    assert [warning in line for line in lines if warning] == ([True] if warning else [])
    assert "hunter2" not in caplog.text
