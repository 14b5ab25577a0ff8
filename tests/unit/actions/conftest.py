import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder for sockets: pytest's own have paths that are too long for one."""
    folder = Path(tempfile.mkdtemp(prefix="seg"))
    yield folder
    shutil.rmtree(folder)
