"""What tests share, a module a subject; no test module imports another."""

import pytest

pytest.register_assert_rewrite("tests.support")
