"""Context: everything beside the cell itself that decides its result. Part of every cell's key."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import hartley
from hartley.errors import InputError
from hartley.runs.levels import MODEL, SYSTEM

ENCODER = ("encoder",)
VERSIONS = ("hartley", "numpy", "torch", "transformers")


@dataclass(frozen=True)
class Context:
    """What decides a cell's result beside its own fields.

    target, data   fingerprints of the model and of what it is measured on; system: of what the system-level threats run against;
                   members: by family, of the models beside the encoder that threats of the plan attack.
    target_name, data_name, notes   for people; not part of a key.
    effort         the numbers behind the budget's name (trials, steps, ...).
    code           by threat and by defense, sha256 over the sources that decide its results (`hartley.runs.sources`); in runs of
                   before, under "", one over all of the package.
    versions       of hartley, numpy, torch and transformers.
    """

    target: str
    data: str
    effort: Mapping[str, int]
    code: Mapping[str, str]
    versions: Mapping[str, str]
    target_name: str = ""
    data_name: str = ""
    notes: tuple[str, ...] = ()
    system: str = ""
    members: Mapping[str, str] = field(default_factory=dict)

    def measured(self, level: str, families: tuple[str, ...] = ENCODER) -> dict[str, str]:
        """The fingerprints of what a threat of that level, on models of these families, is measured on: another agent changes no number of
        a model, nor the other way round. A level that is not known takes all."""
        if level == SYSTEM:
            return {"target": self.system, "data": ""}
        if families != ENCODER:
            held = {"encoder": self.target, **self.members}
            families = (*families, "surrogate")
            return {"target": " ".join(f"{name} {held[name]}" for name in families if held.get(name)), "data": self.data}
        model = {
            "target": self.target,
            "data": self.data,
            **({"surrogate": self.members["surrogate"]} if "surrogate" in self.members else {}),
        }
        return {**model, "system": self.system} if self.system and level != MODEL else model

    def code_for(self, *names: str) -> str | dict[str, str]:
        """The code behind a threat's results, and a defense's."""
        return self.code[""] if "" in self.code else {name: self.code[name] for name in names if name in self.code}

    def decisive(self, level: str, families: tuple[str, ...], *names: str) -> dict[str, Any]:
        """The part that goes into the key of a cell of this threat and defense, the threat of that level, as plain JSON."""
        return {
            **self.measured(level, families),
            "effort": dict(self.effort),
            "code": self.code_for(*names),
            "versions": dict(self.versions),
        }

    def environment(self) -> dict[str, Any]:
        """What environment.json holds: the context, and on what machine."""
        return {
            **self.versions,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": os.cpu_count() or 1,
            "code": self.code.get("", dict(self.code)),
            "effort": dict(self.effort),
            "target": {"name": self.target_name, "fingerprint": self.target},
            "data": {"name": self.data_name, "fingerprint": self.data},
            "system": {"fingerprint": self.system},
            **({"members": dict(self.members)} if self.members else {}),
            "notes": list(self.notes),
        }

    @staticmethod
    def from_environment(record: Mapping[str, Any]) -> Context:
        """Reads back what `environment` gave. Raises InputError when a part is missing or of another type."""
        try:
            context = Context(
                target=record["target"]["fingerprint"],
                data=record["data"]["fingerprint"],
                effort={str(name): int(number) for name, number in record["effort"].items()},
                code={"": record["code"]} if isinstance(record["code"], str) else dict(record["code"]),
                versions={name: record[name] for name in VERSIONS},
                target_name=record["target"]["name"],
                data_name=record["data"]["name"],
                notes=tuple(record.get("notes", ())),
                system=record.get("system", {"fingerprint": ""})["fingerprint"],
                members=dict(record.get("members", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"environment.json: not an environment of a run ({type(error).__name__}: {error})") from None
        texts = (
            context.target,
            context.data,
            *context.code,
            *context.code.values(),
            context.target_name,
            context.data_name,
            context.system,
            *context.members,
            *context.members.values(),
            *context.versions.values(),
            *context.notes,
        )
        if not all(isinstance(text, str) for text in texts):
            raise InputError("environment.json: names, versions and fingerprints must be texts")
        return context


def versions() -> dict[str, str]:
    """Versions by package, read from the installed metadata, so that nothing heavy is imported."""
    found = {"hartley": hartley.__version__}
    for name in VERSIONS[1:]:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found
