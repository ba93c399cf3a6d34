"""Notices: what a reader of the numbers must know of how one server answered, counted while it does."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from hartley.targets.endpoint.choices import Said
from hartley.targets.endpoint.outcomes import NotMeasured, Reason

_LOST = (Reason.FILTERED, Reason.LENGTH, Reason.EMPTY, Reason.UNSEEN)


class Notices:
    """Counts of answers that were read in a special way, or were none. Threads share it.

    thinking_counts: whether thinking is a part of the answer.
    """

    def __init__(self, *, thinking_counts: bool = False) -> None:
        self.thinking_counts = thinking_counts
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def note(self, said: Said, *, offered: bool) -> None:
        """An answer was read. offered: tools were on offer."""
        seen = {
            "answers": True,
            "thought": bool(said.thought),
            "native": offered and bool(said.message.calls) and not said.written,
            "written": bool(said.message.calls) and said.written,
            "unreadable": said.unreadable,
            "cut": said.cut,
            "several": said.choices > 1,
        }
        with self._lock:
            self._counts.update(name for name, true in seen.items() if true)
            if said.unreadable:
                self._examples.setdefault("unreadable", said.message.text[-160:])

    def lost(self, failure: NotMeasured) -> None:
        """A request was given up."""
        if failure.reason in _LOST:
            with self._lock:
                self._counts[failure.reason] += 1
                self._examples.setdefault(failure.reason, failure.detail)

    @property
    def calls_read(self) -> int:
        """Turns with calls that could be read."""
        with self._lock:
            return self._counts["native"] + self._counts["written"]

    @property
    def calls_unreadable(self) -> int:
        """Turns with a call that could not be read."""
        with self._lock:
            return self._counts["unreadable"]

    @property
    def example(self) -> str:
        """A turn with a call that could not be read; "" where there was none."""
        with self._lock:
            return self._examples.get("unreadable", "")

    def lines(self) -> tuple[str, ...]:
        """One sentence for each kind of thing that was noticed."""
        with self._lock:
            counts, examples = Counter(self._counts), dict(self._examples)
        said = [words(counts[name]) for name, words in self._sentences().items() if counts[name]]
        said += [f"not measured: {counts[reason]:,} times {reason}: {examples[reason]}" for reason in _LOST if counts[reason]]
        return tuple(said)

    def _sentences(self) -> dict[str, Callable[[int], str]]:
        where = "is a part of the answer" if self.thinking_counts else "is kept apart, and no part of the answer"
        example = self._examples.get("unreadable", "")
        return {
            "thought": lambda n: f"{n:,} answers came with thinking, which {where}",
            "written": lambda n: f"the server did not parse its model's calls: {n:,} turns with calls were read from the words",
            "unreadable": lambda n: f"{n:,} turns had a call that could not be read, the first: {example}",
            "cut": lambda n: f"{n:,} answers were cut off by length, and count as far as they go",
            "several": lambda n: f"{n:,} answers had several choices, of which the first counts",
        }
