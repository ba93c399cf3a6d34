"""Evidence: the narrow waist. Every threat returns it; every measure, the report and the check read nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hartley.columns import DAMAGED, EvidenceError, checked, frozen, numbers, same

__all__ = ["ARMS", "KINDS", "NONE", "Evidence", "EvidenceError"]

ARMS = ("clean", "attacked", "defended", "defended_attacked", "defended_adaptive")
KINDS = ("jam", "write", "read")
SYMBOL_COLUMNS = ("intent", "adversary", "outcome")
NONE = -1
"""The symbol index that says: there was none on this trial."""

SCHEMA = 1


@dataclass(frozen=True, eq=False)
class Evidence:
    """A table, one row a trial and arm.

    Columns (arrays of length n rows):
      arm        index into ARMS. `defended_attacked` faces an attack made without knowledge of the defense,
                 `defended_adaptive` one made through it (straight-through gradient, expectation over its noise).
      trial      int; the same trial number in two arms is the same input under two conditions.
      intent, adversary, outcome   int; index into the alphabet of that name, or NONE (-1).
      success    1 when the threat's own success criterion held on this trial, 0 when it did not, NONE when it does not apply.
    Optional columns:
      effect     int; index into `effect_alphabet`, or NONE: what came out at the adversary's own receiver, where one outcome
                 symbol cannot say both what the user got and what the adversary did (an agent may do both tasks). The
                 adversary's bits are then read from it, the user's from `outcome`. None: both read `outcome`.
      score      float; the read-out that an attacker thresholds (membership), or the similarity of the outcome.
      log2_q     float <= 0; log2 of the probability that the deployed head gave to the intent symbol.
      cluster    int >= 0; which independent unit the row belongs to (a society, a victim trained once, a shared perturbation, a
                 document, a conversation). Rows of one cluster may depend on each other in any way, clusters may not: every
                 interval is over clusters. The same number in two arms is the same unit. None: each trial is its own.
      embedding  float32 (rows, d); the embedding that was read out.
    `costs` maps a cost's name, which carries its unit or space (`queries`, `forward_passes`, `poisoned_fraction`,
    `linf_pixel`, `snr_db_waveform`, `words_changed`), to a float column; NaN where it does not apply.

    `intent_prior` is the law the intents were drawn from, so that H(U) is known and not estimated; None: unknown.
    Wall-clock seconds are not here but in the run's timing record: the same plan must give the same table.

    Raises EvidenceError when a column has the wrong length, type or range.
    """

    channel: str
    kind: str
    intent_alphabet: tuple[str, ...]
    adversary_alphabet: tuple[str, ...]
    outcome_alphabet: tuple[str, ...]
    arm: NDArray[np.int8]
    trial: NDArray[np.int64]
    intent: NDArray[np.int32]
    adversary: NDArray[np.int32]
    outcome: NDArray[np.int32]
    success: NDArray[np.int8]
    score: NDArray[np.float64] | None = None
    log2_q: NDArray[np.float64] | None = None
    embedding: NDArray[np.float32] | None = None
    costs: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    intent_prior: NDArray[np.float64] | None = None
    effect: NDArray[np.int32] | None = None
    cluster: NDArray[np.int64] | None = None
    effect_alphabet: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise EvidenceError(f"kind: got {self.kind!r}, takes one of {', '.join(KINDS)}")
        if not isinstance(self.channel, str):
            raise EvidenceError(f"channel: got {self.channel!r}, takes a name")
        for name in (*SYMBOL_COLUMNS, "effect"):
            given = getattr(self, f"{name}_alphabet")
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise EvidenceError(f"{name}_alphabet: got {given!r}, takes a sequence of symbols")
            alphabet = tuple(str(symbol) for symbol in given)
            if len(set(alphabet)) != len(alphabet):
                raise EvidenceError(f"{name}_alphabet: the same symbol stands twice")
            object.__setattr__(self, f"{name}_alphabet", alphabet)
        rows = np.asarray(self.arm).shape[0] if np.asarray(self.arm).ndim == 1 else -1
        if rows < 0:
            raise EvidenceError("column arm: must be one-dimensional")
        self._column("arm", np.int8, rows, 0, len(ARMS) - 1)
        self._column("trial", np.int64, rows, 0, 2**53)
        for name in SYMBOL_COLUMNS:
            self._column(name, np.int32, rows, NONE, len(getattr(self, f"{name}_alphabet")) - 1)
        self._column("success", np.int8, rows, NONE, 1)
        if self.effect is not None:
            self._column("effect", np.int32, rows, NONE, len(self.effect_alphabet) - 1)
        elif self.effect_alphabet:
            raise EvidenceError("effect_alphabet: given without a column effect")
        if self.cluster is not None:
            self._column("cluster", np.int64, rows, 0, 2**53)
        for name, high in (("score", None), ("log2_q", 1e-9)):
            if getattr(self, name) is not None:
                self._column(name, np.float64, rows, None, high)
        if self.embedding is not None:
            self._embedding(rows)
        self._costs(rows)
        self._prior()
        pairs = np.stack([self.arm.astype(np.int64), self.trial], axis=1)
        if len(np.unique(pairs, axis=0)) != rows:
            _, first = np.unique(pairs, axis=0, return_index=True)
            row = int(np.setdiff1d(np.arange(rows), first)[0])
            raise EvidenceError(f"column trial, row {row}: trial {self.trial[row]} stands twice in arm {ARMS[self.arm[row]]}")

    def _column(self, name: str, dtype: Any, rows: int, low: float | None, high: float | None) -> None:
        object.__setattr__(self, name, checked(f"column {name}", getattr(self, name), dtype, rows, low, high))

    def _embedding(self, rows: int) -> None:
        with np.errstate(over="ignore"):
            values = numbers("column embedding", self.embedding).astype(np.float32)
        if values.ndim != 2 or values.shape[0] != rows:
            raise EvidenceError(f"column embedding: shape {values.shape}, needs ({rows}, d)")
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise EvidenceError(f"column embedding, row {int(np.flatnonzero(bad)[0])}: not finite")
        object.__setattr__(self, "embedding", frozen(values))

    def _costs(self, rows: int) -> None:
        checked: dict[str, NDArray[np.float64]] = {}
        for name in sorted(self.costs):
            values = numbers(f"cost {name}", self.costs[name]).astype(np.float64)
            if not name.isidentifier():
                raise EvidenceError(f"cost {name!r}: a cost's name is an identifier with its unit, like queries or linf_pixel")
            if values.shape != (rows,):
                raise EvidenceError(f"cost {name}: shape {values.shape}, needs ({rows},)")
            if np.isinf(values).any():
                raise EvidenceError(f"cost {name}, row {int(np.flatnonzero(np.isinf(values))[0])}: infinite")
            checked[name] = frozen(values)
        object.__setattr__(self, "costs", checked)

    def _prior(self) -> None:
        if self.intent_prior is None:
            return
        prior = numbers("intent_prior", self.intent_prior).astype(np.float64)
        if prior.shape != (len(self.intent_alphabet),) or (prior < 0).any() or not np.isclose(prior.sum(), 1.0):
            raise EvidenceError(
                f"intent_prior: needs {len(self.intent_alphabet)} probabilities that sum to 1, got shape {prior.shape}, sum {prior.sum():g}"
            )
        impossible = (self.intent != NONE) & (prior[self.intent] == 0)
        if impossible.any():
            row = int(np.flatnonzero(impossible)[0])
            raise EvidenceError(f"column intent, row {row}: got {self.intent[row]}, whose intent_prior is 0")
        object.__setattr__(self, "intent_prior", frozen(prior))

    @property
    def received(self) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """What the adversary's receiver sees, and its alphabet: the effects where there are any, the outcomes elsewhere."""
        return (self.outcome, self.outcome_alphabet) if self.effect is None else (self.effect, self.effect_alphabet)

    @property
    def units(self) -> NDArray[np.int64]:
        """The independent unit of each row: its cluster or, where none is given, its trial."""
        return self.trial if self.cluster is None else self.cluster

    def __len__(self) -> int:
        return int(self.arm.shape[0])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Evidence):
            return NotImplemented
        return all(same(getattr(self, item.name), getattr(other, item.name)) for item in fields(self))

    __hash__ = None  # type: ignore[assignment]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that have rows, in the order of ARMS."""
        return tuple(ARMS[index] for index in np.unique(self.arm))

    def of(self, arm: str) -> Evidence:
        """The rows of one arm, ordered by trial. Raises KeyError when the arm has no rows."""
        if arm not in self.arms:
            raise KeyError(f"no rows in arm {arm!r}; this evidence has {', '.join(self.arms) or 'none'}")
        rows = np.flatnonzero(self.arm == ARMS.index(arm))
        return self.rows(rows[np.argsort(self.trial[rows], kind="stable")])

    def rows(self, index: NDArray[np.int64]) -> Evidence:
        """The rows at `index`, in that order."""
        arrays: dict[str, Any] = {name: getattr(self, name)[index] for name in _REQUIRED}
        for name in _OPTIONAL:
            column = getattr(self, name)
            arrays[name] = None if column is None else column[index]
        return Evidence(
            **self._header(),
            **arrays,
            costs={name: column[index] for name, column in self.costs.items()},
            intent_prior=self.intent_prior,
        )

    def _header(self) -> dict[str, Any]:
        return {
            "channel": self.channel,
            "kind": self.kind,
            "intent_alphabet": self.intent_alphabet,
            "adversary_alphabet": self.adversary_alphabet,
            "outcome_alphabet": self.outcome_alphabet,
            # Left out where there is none, so that tables without it keep their bytes.
            **({"effect_alphabet": self.effect_alphabet} if self.effect_alphabet else {}),
        }

    @staticmethod
    def concat(parts: Sequence[Evidence]) -> Evidence:
        """The rows of several tables with the same header, one after the other. Optional columns must be in all or none."""
        if not parts:
            raise EvidenceError("concat: no tables, takes at least one")
        first = parts[0]
        for part in parts[1:]:
            if part._header() != first._header() or not same(part.intent_prior, first.intent_prior):
                raise EvidenceError("concat: the tables differ in channel, kind, alphabets or prior")
        arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _REQUIRED}
        for name in _OPTIONAL:
            columns = [getattr(part, name) for part in parts]
            if any(column is None for column in columns) and not all(column is None for column in columns):
                raise EvidenceError(f"column {name}: given in some of the tables only")
            arrays[name] = None if columns[0] is None else np.concatenate(columns)
        names = sorted({name for part in parts for name in part.costs})
        costs = {name: np.concatenate([part.costs.get(name, np.full(len(part), np.nan)) for part in parts]) for name in names}
        return Evidence(**first._header(), **arrays, costs=costs, intent_prior=first.intent_prior)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays, none of dtype object; the header is UTF-8 JSON in a uint8 array. `from_arrays` reads them back equal."""
        header = {"schema": SCHEMA, **self._header()}
        arrays: dict[str, NDArray[Any]] = {"header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)}
        for name in (*_REQUIRED, *_OPTIONAL, "intent_prior"):
            column = getattr(self, name)
            if column is not None:
                arrays[name] = column
        arrays |= {f"cost.{name}": column for name, column in self.costs.items()}
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Evidence:
        """Raises EvidenceError for a missing or unknown column, or one that fails its check."""
        try:
            header = json.loads(bytes(np.asarray(arrays["header"], dtype=np.uint8)).decode())
        except KeyError:
            raise EvidenceError("column header: missing") from None
        except (ValueError, UnicodeDecodeError) as error:
            raise EvidenceError(f"column header: not JSON ({error})") from None
        if not isinstance(header, dict) or header.pop("schema", None) != SCHEMA:
            raise EvidenceError(f"column header: needs schema {SCHEMA}")
        known = {*_REQUIRED, *_OPTIONAL, "intent_prior", "header"}
        costs = {name.removeprefix("cost."): column for name, column in arrays.items() if name.startswith("cost.")}
        unknown = sorted(name for name in arrays if name not in known and not name.startswith("cost."))
        if unknown:
            raise EvidenceError(f"column {unknown[0]}: unknown; this table takes {', '.join(sorted(known))} and cost.NAME")
        for name in _REQUIRED:
            if name not in arrays:
                raise EvidenceError(f"column {name}: missing")
        columns: dict[str, Any] = {name: arrays.get(name) for name in (*_REQUIRED, *_OPTIONAL, "intent_prior")}
        try:
            texts: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in header.items()}
            return Evidence(**texts, **columns, costs=costs)
        except TypeError as error:
            raise EvidenceError(f"column header: {error}") from None

    def to_bytes(self) -> bytes:
        """An .npz archive; equal tables give equal bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in self.to_arrays().items():
                part = io.BytesIO()
                np.lib.format.write_array(part, np.asanyarray(array), allow_pickle=False)
                # a ZipInfo of its own: no clock, no file mode
                entry = zipfile.ZipInfo(f"{name}.npy")
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, part.getvalue())
        return buffer.getvalue()

    @staticmethod
    def load(path: Path | IO[bytes]) -> Evidence:
        """Reads what `to_bytes` wrote. Never unpickles. Raises EvidenceError when it is no such archive, OSError when it cannot be read."""
        try:
            archive = np.load(path, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise EvidenceError(f"{path}: not an evidence archive (a single array)")
            with archive:
                return Evidence.from_arrays({name: archive[name] for name in archive.files})
        except EvidenceError:
            raise
        except (*DAMAGED, KeyError) as error:
            raise EvidenceError(f"{path}: not an evidence archive ({error})") from None


_REQUIRED = ("arm", "trial", *SYMBOL_COLUMNS, "success")
_OPTIONAL = ("score", "log2_q", "embedding", "effect", "cluster")
