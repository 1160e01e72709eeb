"""One head for all tests of a file."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.local_head import Cluster, end, start_head


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Short, since the paths of Ray's sockets may not pass 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="lb-", dir="/tmp"))
    (folder / "laptop").mkdir()
    head = start_head(folder)
    yield head
    end(head.process)
    shutil.rmtree(folder, ignore_errors=True)
