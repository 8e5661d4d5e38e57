"""What pytest has to know before it imports the tests.

Not in tests/__init__.py: the sandbox would import pytest again for every workflow of the tests.
"""

import pytest

pytest.register_assert_rewrite("tests.support")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line choose the servers of the tests."""
    group = parser.getgroup("servers")
    group.addoption("--postgres", metavar="VERSION", help="one of Debian's, such as 15")
    modes = ("transaction", "session")
    group.addoption("--redis", choices=("6.2", "debian"), help="in place of Valkey")
    group.addoption("--pooler", choices=modes, help="put PgBouncer in front of Postgres")
