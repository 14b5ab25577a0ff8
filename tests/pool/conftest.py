"""The whole system without a browser: these tests have loops of their own, beside which Playwright cannot run."""

import pytest
from e2e.conftest import system as system


@pytest.fixture(autouse=True)
def blocked_loop_is_an_error() -> None:
    """Not here: this loop drives processes, and looks at their files, as it likes."""
