"""What tests of runs share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# The fakes must be found by name, here and in the worker processes that are started from here.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one measured cell. Copied before anything is done to it."""
    from run_fakes import FAKES, MARKS, STEADY

    from hartley.runs.local import run

    folder = tmp_path_factory.mktemp("made")
    (folder / "marks").mkdir()
    os.environ[MARKS] = str(folder / "marks")
    run(STEADY, folder / "run", parts=FAKES)
    return folder / "run"
