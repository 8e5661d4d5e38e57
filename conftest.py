"""What pytest has to know before it imports the tests.

Not in tests/__init__.py: the sandbox would import pytest again for every workflow of the tests.
"""

import pytest

pytest.register_assert_rewrite("tests.support")
