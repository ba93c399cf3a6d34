"""What holds for every suite."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings
from threadpoolctl import threadpool_limits

# The same examples in every run, however long one takes on a busy machine.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a run's worker: on models this small a second thread waits more than it works, and tests run side by side."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_width() -> None:
    """Workers are told of a terminal 80 columns wide, which is not there: what a command prints would be wrapped."""
    os.environ.pop("COLUMNS", None)
