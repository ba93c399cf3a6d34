"""The public API: about a dozen names, each of which is there, none of which is loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hartley


@pytest.mark.parametrize("name", hartley.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hartley, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'scanner'"):
        _ = hartley.scanner


def test_import_hartley_loads_nothing_heavy() -> None:
    code = "import sys, hartley; print([name for name in ('torch', 'numpy', 'transformers', 'click') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
