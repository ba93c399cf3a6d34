"""Notices: what a reader of the numbers must know of how one server answered, counted while it does."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from hartley.targets.endpoint.choices import Said
from hartley.targets.endpoint.outcomes import NotMeasured, Reason, excerpt

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
            "unreadable": offered and said.unreadable,
            "cut": said.cut,
            "several": said.choices > 1,
        }
        with self._lock:
            self._counts.update(name for name, true in seen.items() if true)
            if seen["unreadable"]:  # of several the first in the alphabet, so that it is the same whatever the order
                text = excerpt(said.message.text[-400:], str)
                self._examples["unreadable"] = min(text, self._examples.get("unreadable", text))

    def lost(self, failure: NotMeasured) -> None:
        """A request was given up."""
        if failure.reason in _LOST:
            with self._lock:
                self._counts[failure.reason] += 1
                self._examples[failure.reason] = min(failure.detail, self._examples.get(failure.reason, failure.detail))

    def mark(self) -> Counter[str]:
        """What was counted so far, for `lines` and `no_call_read` since then."""
        with self._lock:
            return Counter(self._counts)

    def no_call_read(self, since: Counter[str]) -> NotMeasured | None:
        """Why nothing can be said of what calls do: there were some, and none could be read. None where one could, or there was none."""
        with self._lock:
            counts = self._counts - since
            if counts["native"] or counts["written"] or not counts["unreadable"]:
                return None
            return NotMeasured(Reason.UNREADABLE, f"{counts['unreadable']:,} turns had one, like: {self._examples['unreadable']}")

    def lines(self, since: Counter[str] | None = None) -> tuple[str, ...]:
        """One sentence for each kind of thing that was noticed."""
        with self._lock:
            counts, examples = self._counts - (since or Counter()), dict(self._examples)
        said = [words(counts[name]) for name, words in self._sentences().items() if counts[name]]
        said += [f"not measured: {counts[reason]:,} times {reason}: {examples[reason]}" for reason in _LOST if counts[reason]]
        return tuple(said)

    def _sentences(self) -> dict[str, Callable[[int], str]]:
        where = "is a part of the answer" if self.thinking_counts else "is kept apart, and no part of the answer"
        example = self._examples.get("unreadable", "")
        return {
            "thought": lambda n: f"{n:,} answers came with thinking, which {where}",
            "written": lambda n: f"the server did not parse its model's calls: {n:,} turns with calls were read from the words",
            "unreadable": lambda n: f"{n:,} turns had a call that could not be read, like: {example}",
            "cut": lambda n: f"{n:,} answers were cut off by length, and count as far as they go",
            "several": lambda n: f"{n:,} answers had several choices, of which the first counts",
        }
