"""Where models compute, and how exactly. Stated once: tensors come in and go out on the CPU in float32, and a target moves them.

Attacks, data and tables know no device. A model that lies on another one, or computes in bfloat16, stands behind `Placed`, which moves what
goes in and what comes out, and asks in halves what does not fit into memory; gradients take the same way back. On the CPU in float32
nothing stands in between.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn

from hartley.errors import InputError
from hartley.targets.halving import BATCHED, halving

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
FORM = "auto, cpu, cuda, cuda:N or mps"


def chosen(name: str) -> torch.device:
    """The device of that name; auto: a CUDA device where there is one, else Apple's, else the CPU.

    Raises InputError for another name, and for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d{1,3})?", name):
        raise InputError(f"device is {name[:60]!r}; it takes {FORM}")
    found = torch.device(name)
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name}: there are {torch.cuda.device_count()} CUDA devices here; it takes {FORM}")
    if found.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device {name}: not available here; it takes {FORM}")
    return found


def placed(target: Any, device: torch.device, dtype: str) -> Any:
    """The target, computing there. What holds no model comes back as it is, and so does everything on the CPU in float32."""
    if target is None or (device.type == "cpu" and dtype == "float32"):
        return target
    moved = [module.to(device) for module in modules(target)]
    return Placed(target, device, dtype) if moved else target


def modules(target: Any, _seen: set[int] | None = None) -> list[nn.Module]:
    """The modules that a target is made of, also those of the targets and parts that it holds."""
    seen = set() if _seen is None else _seen
    found: list[nn.Module] = []
    for value in vars(target).values() if hasattr(target, "__dict__") else ():
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, nn.Module):
            found.append(value)
        elif type(value).__module__.startswith("hartley.") and not isinstance(value, type):
            found += modules(value, seen)
    return found


class Placed:
    """A target on a device: of the same family, and the same to whoever asks it."""

    def __init__(self, inner: Any, device: torch.device, dtype: str) -> None:
        self._inner, self._device, self._dtype = inner, device, dtype

    @property
    def fingerprint(self) -> str:
        """The target's own, and where and how exactly it computes: the last digits depend on both."""
        return f"{self._inner.fingerprint}@{self._device.type} {self._dtype}"

    def clone(self) -> Placed:
        """A copy of its own, in the same place."""
        return Placed(self._inner.clone(), self._device, self._dtype)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._inner, name)
        return self._asked(found) if callable(found) and not isinstance(found, nn.Module | type) else found

    def _asked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def asked(*given: Any, **named: Any) -> Any:
            there = [value.to(self._device) if isinstance(value, Tensor) else value for value in given]
            named = {name: value.to(self._device) if isinstance(value, Tensor) else value for name, value in named.items()}
            with torch.autocast(self._device.type, DTYPES[self._dtype], enabled=self._dtype != "float32"):
                return _back(halving(method, *there, **named) if method.__name__ in BATCHED else method(*there, **named))

        return asked


def _back(value: Any) -> Any:
    """What a target gives, on the CPU; numbers with a point in float32."""
    if isinstance(value, Tensor):
        return value.cpu().float() if value.is_floating_point() else value.cpu()
    if is_dataclass(value) and not isinstance(value, type) and any(isinstance(getattr(value, item.name), Tensor) for item in fields(value)):
        return replace(value, **{item.name: _back(getattr(value, item.name)) for item in fields(value)})
    return value
