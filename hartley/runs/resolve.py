"""Resolve: from the names in a plan to what is loaded. Imports nothing heavy until it loads."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hartley import files
from hartley.errors import InputError, unknown
from hartley.runs.allowance import Allowance
from hartley.runs.levels import FAMILIES, MODEL, SYSTEM, either
from hartley.targets.folder_kinds import attacked
from hartley.targets.registry import ARCHITECTURES, ENDPOINT, MEMBERS, NAMED, SIBLINGS, Architecture

if TYPE_CHECKING:
    from hartley.data.folder import FolderData
    from hartley.data.pairs import Data
    from hartley.targets.clip import ClipEncoder
    from hartley.targets.endpoint.endpoint import Endpoint
    from hartley.targets.protocols import Encoder
    from hartley.targets.system import System

REFERENCE_TARGET = "reference"
REFERENCE_DATA = "reference"
ENCODER = "encoder"
REFERENCE_SIZE = (48, 48)
"""Of the reference pictures, where a model names no size of its own."""
DOJO = "agentdojo:"
UNSEEN = "what a server does behind its name, nobody sees"
POLICY_KINDS = frozenset({"llama"})
"""model_type in the config.json of folders that hold a policy, and no encoder."""
_LARGEST_CONFIG = 2**20


@dataclass(frozen=True)
class Loaded:
    """What a run measures, ready to use.

    target, data   an encoder and what it is measured on; None where there is no encoder.
    notes          plain sentences that a reader of the numbers should know.
    system         what the system-level threats run against; None where the target is a model alone.
    endpoint       what asks the server behind which the system's policy is; None where it is in this process.
    members        by family, the models beside an encoder that threats attack.
    surrogate      on which attacks are made that are shown to the target; None: on the target itself.
    """

    target: Encoder | None
    data: Data | None
    notes: tuple[str, ...] = ()
    system: System | None = None
    endpoint: Endpoint | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    surrogate: Any = None


@dataclass(frozen=True)
class Kind:
    """A form that a target's name may take: a whole name, or what it begins with.

    form     as it is shown to people.
    levels   of a name: which of `hartley.runs.levels.LEVELS` such a target has.
    check    raises InputError for a name that cannot be there, without loading.
    load     (target, data, whether the data was checked already, allowance) to what is loaded.
    families of a name: which of `hartley.runs.levels.FAMILIES` such a target has.
    """

    form: str
    levels: Callable[[str], frozenset[str]]
    check: Callable[[str], None]
    load: Callable[[str, str, bool, Allowance], Loaded]
    families: Callable[[str], frozenset[str]]


def families(name: str) -> frozenset[str]:
    """The families of models that a target has. Raises InputError as `check_target` does."""
    return _kind(name).families(name)


def levels(name: str) -> frozenset[str]:
    """The levels of a target: its model, the system around one, or both. Raises InputError as `check_target` does."""
    return _kind(name).levels(name)


def server(name: str) -> str:
    """What of a target's name is a server's, openai:MODEL@URL: all, or the policy that faces a suite of AgentDojo; "" for none."""
    asked = name.partition("+")[2] if name.startswith(DOJO) else name
    return asked if asked.startswith(ENDPOINT) else ""


def check_target(name: str) -> None:
    """Raises InputError, with the nearest names, for a target that a scan does not take, a folder that is not there, a missing key."""
    _kind(name).check(name)


def check_data(name: str) -> None:
    """Raises InputError, with the nearest names, for data that is neither "reference" nor a folder that exists."""
    path = Path(name)
    if name == REFERENCE_DATA or path.is_dir():
        return
    if path.is_file():
        raise InputError(f"data {name!r} is a file; it takes {REFERENCE_DATA!r} or a folder with metadata.csv or metadata.jsonl")
    try:
        beside = [str(path.with_name(entry.name)) for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        beside = []
    near = difflib.get_close_matches(name, [REFERENCE_DATA, *beside], n=3, cutoff=0.6)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise InputError(f"data {name!r}: no such folder; it takes {REFERENCE_DATA!r} or a folder with metadata.csv or metadata.jsonl{hint}")


def check_names(target: str, data: str) -> None:
    """Raises InputError for a target or data that cannot be there, and for data beside a target that takes none."""
    check_target(target)
    check_data(data)
    if data != REFERENCE_DATA and MODEL not in levels(target):
        raise InputError(f"data {data!r}: target {target!r} is measured in its own world, and takes no pictures")


def load(
    target: str,
    data: str,
    checked: bool = False,
    allowance: Allowance | None = None,
    tool_protocol: str = "native",
    needed: Collection[str] = (),
    device: str = "auto",
    dtype: str = "float32",
    surrogate: str = "",
) -> Loaded:
    """Loads both. `checked`: another process has looked into every file of the data already. allowance: for a target behind a server.
    needed: the families that are attacked; of the reference family no others are loaded beside its encoder and its system.
    device, dtype: where the models compute, and how exactly. surrogate: the name of another model that attacks are made on.

    Raises InputError for whatever the user can mend.
    """
    check_names(target, data)
    loaded = _kind(target).load(target, data, checked, allowance or Allowance())
    if target == REFERENCE_TARGET:
        loaded = replace(loaded, members={name: _member(name, loaded.system) for name in FAMILIES if name in needed and name != ENCODER})
    if surrogate:
        loaded = _with_surrogate(loaded, target, surrogate)
    loaded = _placed(loaded, device, dtype)
    return loaded if tool_protocol == "native" else _in_words(target, loaded)


def _with_surrogate(loaded: Loaded, target: str, name: str) -> Loaded:
    """The same, with another model to make attacks on. Raises InputError where it is no model of a family that the target has, or takes
    pictures of another size."""
    from hartley import targets

    try:
        (family,) = families(name)
    except ValueError:
        raise InputError(f"surrogate {name!r}: takes one model, like reference:encoder-b or hf:PATH") from None
    held = loaded.target if family == ENCODER else loaded.members.get(family)
    if held is None:
        raise InputError(f"surrogate {name!r} is {either((family,))}, and {target!r} has none that the plan attacks")
    found: Any = targets.load(name)
    if getattr(found, "image_size", None) != getattr(held, "image_size", None):
        raise InputError(
            f"surrogate {name!r} takes pictures of {found.image_size}, and {held.name} of {held.image_size}; one size is accepted"
        )
    if found.fingerprint == held.fingerprint:
        raise InputError(f"surrogate {name!r} is the target itself; another model is accepted")
    return replace(loaded, surrogate=found, notes=(*loaded.notes, f"attacks are made on {found.name} and shown to {held.name}"))


def _placed(loaded: Loaded, device: str, dtype: str) -> Loaded:
    """The same models where they are to compute; one that stands in several places once."""
    from hartley.targets.device import chosen, placed

    where, done = chosen(device), dict[int, Any]()

    def put(model: Any) -> Any:
        return done.setdefault(id(model), placed(model, where, dtype))

    system = loaded.system
    if system is not None and loaded.endpoint is None and system.dojo is None:
        system = replace(system, policy=put(system.policy), answerer=put(system.answerer), encoder=put(system.encoder))
    members = {family: put(member) for family, member in loaded.members.items()}
    note = () if where.type == "cpu" and dtype == "float32" else (f"models compute on {where} in {dtype}",)
    return replace(
        loaded, target=put(loaded.target), surrogate=put(loaded.surrogate), system=system, members=members, notes=(*loaded.notes, *note)
    )


def _member(family: str, system: System | None = None) -> Any:
    from hartley import targets

    held = system.answerer if system is not None and family == "answerer" else None
    return targets.load(f"reference:{family}") if held is None else held


def _in_words(target: str, loaded: Loaded) -> Loaded:
    """The same, with a policy that is told of tools in words."""
    from hartley.targets.text_protocol import text_protocol

    system = loaded.system
    if system is None or system.reference or system.dojo is not None:
        raise InputError(f"tool_protocol json is for a model behind a server or in a folder that is to call tools; {target!r} is none")
    note = "its tools are described in words, and its calls are read as one JSON object a step (tool protocol json)"
    return replace(loaded, system=replace(system, policy=text_protocol(system.policy)), notes=(*loaded.notes, note))


def _kind(name: str) -> Kind:
    if name in KINDS:
        return KINDS[name]
    for prefix, kind in KINDS.items():
        if prefix.endswith(":") and name.startswith(prefix):
            return kind
    forms = [kind.form for kind in KINDS.values()]
    if name.startswith("reference:") and _family_of(name) in attacked() & set(FAMILIES):
        return REFERENCE_MEMBER
    if name in NAMED:
        raise InputError(f"target {name!r} loads, but nothing attacks it alone; a scan takes {', '.join(forms)}")
    hint = "; a local model folder is named as hf:PATH" if Path(name).exists() else ""
    raise InputError(f"{unknown('target', name, forms)}{hint}")


def _family_of(name: str) -> str:
    """The family of a member of the reference family, a sibling's its elder's; "" for what is no member."""
    member = name.partition(":")[2]
    return SIBLINGS.get(member, member) if member in MEMBERS else ""


def _there(_name: str) -> None:
    """Ships with the package."""


def _check_folder(name: str) -> None:
    from hartley.targets.folder_kinds import refuse_unattacked

    if name == "hf:":
        raise InputError("target 'hf:': no such folder; hf:PATH takes a local model folder")
    refuse_unattacked(Path(name.removeprefix("hf:")).expanduser())


def _check_endpoint(name: str) -> None:
    from hartley.targets.endpoint.keys import key_for, refuse_key_in
    from hartley.targets.endpoint.name import parse

    refuse_key_in(name)
    key_for(parse(name))
    if find_spec("openai") is None:
        raise InputError("a target behind a server takes the official client; not installed: openai; takes: pip install -e '.[endpoint]'")


def _always(*found: str) -> Callable[[str], frozenset[str]]:
    return lambda _name: frozenset(found)


def _folder_levels(name: str) -> frozenset[str]:
    """By the kind of model that the folder's configuration names; what cannot be read is left to the loader to refuse."""
    return frozenset({SYSTEM if _kind_of(Path(name.removeprefix("hf:")).expanduser()) in POLICY_KINDS else MODEL})


def _folder_families(name: str) -> frozenset[str]:
    """By the kind of model that the folder's configuration names; none for a policy's."""
    folder = Path(name.removeprefix("hf:")).expanduser()
    kind = "StableDiffusionPipeline" if (folder / "model_index.json").is_file() else _kind_of(folder)
    found = {row.family for row in ARCHITECTURES if row.kind == kind and _fits(folder, row)}
    return frozenset(found & set(FAMILIES)) or frozenset({"" if kind in POLICY_KINDS else ENCODER})


def _fits(folder: Path, row: Architecture) -> bool:
    """Whether a configuration that says which class it is of is of one of the row's; BLIP's folders are of two families."""
    try:
        named = files.parsed_json(files.read(folder / "config.json", _LARGEST_CONFIG), folder)["architectures"]
    except (InputError, LookupError, TypeError):
        return True
    return not isinstance(named, list) or not named or named[0] in row.classes


def _kind_of(folder: Path) -> str:
    try:
        return str(files.parsed_json(files.read(folder / "config.json", _LARGEST_CONFIG), folder)["model_type"])
    except (InputError, LookupError, TypeError):
        return ""


def _reference(_target: str, data: str, checked: bool, _allowance: Allowance) -> Loaded:
    from hartley.runs import systems

    model = _reference_encoder("reference:encoder", data, checked, _allowance)
    assert model.target is not None
    return Loaded(model.target, model.data, model.notes, systems.reference(model.target))


def _reference_encoder(target: str, data: str, checked: bool, _allowance: Allowance) -> Loaded:
    from hartley.targets.reference import encoder as reference

    return _measured_on(reference.load(member=target.removeprefix("reference:")), data, (), False, "bicubic", checked)


def _reference_agent(_target: str, _data: str, _checked: bool, _allowance: Allowance) -> Loaded:
    from hartley.runs import systems

    return Loaded(None, None, (), systems.reference_agent())


def _reference_member(target: str, data: str, checked: bool, _allowance: Allowance) -> Loaded:
    return _about(_member(target.partition(":")[2]), _family_of(target), data, checked)


def _about(member: Any, family: str, data: str, checked: bool) -> Loaded:
    """A model that is no encoder, and what it is shown or told."""
    size = getattr(member, "image_size", None) or REFERENCE_SIZE
    if data == REFERENCE_DATA:
        from hartley.targets.reference.questions import ReferenceQuestions

        if size != REFERENCE_SIZE and family != "generator":  # what is drawn is judged at any size
            raise _other_size(member)
        return Loaded(None, ReferenceQuestions(), members={family: member})
    from hartley.data.folder import FolderData

    rate = getattr(member, "sample_rate", None) or 16_000
    pairs = FolderData(Path(data), size, sample_rate=rate, validate=not checked)
    return Loaded(None, pairs, pairs.notes, members={family: member})


def _folder(target: str, data: str, checked: bool, _allowance: Allowance) -> Loaded:
    if not _folder_families(target) & {ENCODER, ""}:
        from hartley import targets

        (family,) = _folder_families(target)
        return _about(targets.load(target), family, data, checked)
    if SYSTEM in _folder_levels(target):
        from hartley.runs import systems

        system = systems.folder(target)
        return Loaded(None, None, (f"its memory finds entries with {system.embedder.name}",), system)
    from hartley import targets
    from hartley.targets.huggingface import HuggingFaceClip

    found: Any = targets.load(target)
    if not isinstance(found, HuggingFaceClip):
        return replace(_about(found, ENCODER, data, checked), target=found, members={})
    return _measured_on(found, data, found.notes, found.preprocess.squash, found.preprocess.mode, checked)


def _endpoint(target: str, _data: str, _checked: bool, allowance: Allowance) -> Loaded:
    from hartley.runs import systems

    system, endpoint = systems.endpoint(target, allowance)
    notes = [f"its memory finds entries with {system.embedder.name}", UNSEEN]
    if system.reference:
        notes.append(f"the server calls its model {systems.AGENT}, so it is spoken to in the reference world's words")
    return Loaded(None, None, tuple(notes), system, endpoint)


def _check_dojo(name: str) -> None:
    from hartley.targets.agentdojo.suites import split

    _, policy = split(name)
    if policy.startswith(ENDPOINT):
        _check_endpoint(policy)
    if find_spec("agentdojo") is None:
        raise InputError("AgentDojo's suites take its package; not installed: agentdojo; takes: pip install -e '.[agentdojo]'")


def _dojo(target: str, _data: str, _checked: bool, allowance: Allowance) -> Loaded:
    from hartley.runs import systems

    system, endpoint = systems.dojo(target, allowance)
    return Loaded(None, None, () if endpoint is None else (UNSEEN,), system, endpoint)


def _measured_on(encoder: ClipEncoder, data: str, notes: tuple[str, ...], squash: bool, mode: str, checked: bool) -> Loaded:
    if data == REFERENCE_DATA:
        return Loaded(encoder, _reference_data(encoder), notes)
    pairs = _folder_data(Path(data), encoder, squash, mode, not checked)
    return Loaded(encoder, pairs, (*notes, *pairs.notes))


def _reference_data(encoder: ClipEncoder) -> Data:
    import torch

    from hartley.targets.reference.questions import ReferenceQuestions

    scenes = ReferenceQuestions()
    size = tuple(scenes.draw(1, torch.Generator().manual_seed(0)).images.shape[-2:])
    if encoder.image_size not in (None, size):
        raise _other_size(encoder)
    return scenes


def _other_size(member: Any) -> InputError:
    height, width = REFERENCE_SIZE
    return InputError(
        f"data {REFERENCE_DATA!r} has pictures of {height} x {width} pixels, and target {member.name} takes {member.image_size}; name a "
        "folder of captioned pictures as data"
    )


def _folder_data(folder: Path, encoder: ClipEncoder, squash: bool, mode: str, validate: bool) -> FolderData:
    from hartley.data.folder import FolderData

    if encoder.image_size is None:
        raise InputError(f"target {encoder.name} names no picture size, so the pictures in {folder} cannot be brought to it")
    ear = encoder.module.audio
    seconds = 3.0 if ear is None else ear.front.samples / ear.sample_rate
    return FolderData(
        folder, encoder.image_size, squash=squash, mode=mode, sample_rate=encoder.sample_rate, seconds=seconds, validate=validate
    )


KINDS: dict[str, Kind] = {
    REFERENCE_TARGET: Kind(REFERENCE_TARGET, _always(MODEL, SYSTEM), _there, _reference, _always(*FAMILIES)),
    "reference:encoder": Kind("reference:encoder", _always(MODEL), _there, _reference_encoder, _always(ENCODER)),
    "reference:encoder-b": Kind("reference:encoder-b", _always(MODEL), _there, _reference_encoder, _always(ENCODER)),
    "reference:agent": Kind("reference:agent", _always(SYSTEM), _there, _reference_agent, _always()),
    "hf:": Kind("hf:PATH", _folder_levels, _check_folder, _folder, _folder_families),
    ENDPOINT: Kind("openai:MODEL@URL", _always(SYSTEM), _check_endpoint, _endpoint, _always()),
    DOJO: Kind("agentdojo:SUITE", _always(SYSTEM), _check_dojo, _dojo, _always()),
}
"""Every form that a target's name may take, by the whole name or, with a colon at its end, by what it begins with. One more kind of
target is one more row."""
REFERENCE_MEMBER = Kind("reference:FAMILY", _always(MODEL), _there, _reference_member, lambda name: frozenset({_family_of(name)}))
"""One model of the reference family that is no encoder."""
TARGETS = (*(kind.form for kind in KINDS.values()), REFERENCE_MEMBER.form)
