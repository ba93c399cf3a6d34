"""The reference family as it lies on the disk: sizes, abilities and time to retrain, read from files without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hartley.targets.registry import MEMBERS, REFERENCE, SIBLINGS

WEIGHTS = Path(__file__).parent / "reference" / "weights"
KINDS = {
    "encoder": "encoder of pictures, text and speech",
    "answerer": "answerer about pictures and text",
    "generator": "generator of pictures from text",
    "recognizer": "speech recognizer",
    "listener": "listener: answers about what it hears",
    "agent": "policy of an agent with tools",
}
KINDS |= {name: f"{KINDS[elder]}, of another seed and shape" for name, elder in SIBLINGS.items()}
TEXT_TOWER = ("text_model.", "text_projection.")
LARGEST_HEADER = 100 * 2**20


@dataclass(frozen=True)
class Measured:
    """An ability as abilities.json has it: the share with its exact 95% interval; bar: what is required, or ""."""

    name: str
    value: float
    low: float
    high: float
    n: int
    bar: str


@dataclass(frozen=True)
class Member:
    """A model of the family.

    parameters, megabytes  of its safetensors files; None where there are none.
    abilities              those that something is required of, in the order of the file; emerged: those nobody taught.
    minutes                of one processor thread, to train it; None where that is not on record.
    retrain                the command that makes it.
    note                   what a reader should know, such as that the weights are missing; "" otherwise.
    """

    name: str
    kind: str
    parameters: int | None
    megabytes: float | None
    abilities: tuple[Measured, ...]
    emerged: tuple[Measured, ...]
    minutes: float | None
    retrain: str
    note: str

    def to_json(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self)


def members(weights: Path | None = None) -> list[Member]:
    """The family, with its text embedder, as it lies in `weights` (the package's own by default)."""
    root = WEIGHTS if weights is None else weights
    found = [_member(name, root / name) for name in MEMBERS]
    return [*found, _embedder(found[0], root / MEMBERS[0])]


def _member(name: str, folder: Path) -> Member:
    retrain = f"python -m hartley.training {name}"
    files = sorted(folder.rglob("*.safetensors")) if folder.is_dir() else []
    files = [file for file in files if "checkpoints" not in file.relative_to(folder).parts]
    if not files:
        return Member(f"{REFERENCE}{name}", KINDS[name], None, None, (), (), None, retrain, f"no weights in {folder}")
    try:
        parameters = sum(count for file in files for count in sizes(file).values())
        record = json.loads((folder / "abilities.json").read_text(encoding="utf-8"))
        abilities, emerged = _measured(record, "abilities"), _measured(record, "emerged")
        seconds, note = record.get("training_cpu_seconds"), ""
    except FileNotFoundError:
        abilities, emerged, seconds, note = (), (), None, "its abilities were not measured: abilities.json is missing"
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        parameters, abilities, emerged, seconds = 0, (), (), None
        note = f"a file in {folder} is damaged ({type(error).__name__})"
    return Member(
        name=f"{REFERENCE}{name}",
        kind=KINDS[name],
        parameters=parameters or None,
        megabytes=sum(file.stat().st_size for file in files) / 1e6,
        abilities=tuple(one for one in abilities if one.bar),
        emerged=emerged,
        minutes=seconds / 60 if isinstance(seconds, int | float) else None,
        retrain=retrain,
        note=note,
    )


def _embedder(encoder: Member, folder: Path) -> Member:
    """The text tower of the encoder, which has no weights of its own."""
    tower: dict[str, int] = {}
    if encoder.parameters is not None:
        tower = {key: size for key, size in sizes(folder / "model.safetensors").items() if key.startswith(TEXT_TOWER)}
    parameters = sum(tower.values())
    return Member(
        name=f"{REFERENCE}embedder",
        kind="text embedder of a memory",
        parameters=parameters or None,
        megabytes=0.0 if tower else None,
        abilities=(),
        emerged=(),
        minutes=encoder.minutes,
        retrain=encoder.retrain,
        note="the text tower of reference:encoder" if tower else encoder.note,
    )


def sizes(file: Path) -> dict[str, int]:
    """How many numbers each tensor of a safetensors file has, from its header alone. Raises ValueError for a damaged file."""
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        if not 2 <= length <= LARGEST_HEADER:
            raise ValueError(f"{file}: is not a safetensors file")
        header = json.loads(content.read(length))
    counts = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            count = 1
            for side in tensor["shape"]:
                count *= int(side)
            counts[name] = count
    return counts


def _measured(record: Mapping[str, Any], part: str) -> tuple[Measured, ...]:
    bars = _bars(record)
    return tuple(
        Measured(name, float(row["value"]), float(row["low"]), float(row["high"]), int(row["n"]), bars.get(name, ""))
        for name, row in record.get(part, {}).items()
    )


def _bars(record: Mapping[str, Any]) -> dict[str, str]:
    """What is required of each ability, in words: the records of the family have it at the top or under "required"."""
    required = record.get("required", {})
    least = record.get("at least") or required.get("at least") or {name: need for name, need in required.items() if isinstance(need, float)}
    most = record.get("at most") or required.get("at most") or {}
    return {name: f"at least {need:.2f}" for name, need in least.items()} | {name: f"at most {limit:.2f}" for name, limit in most.items()}
