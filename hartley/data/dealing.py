"""Dealing: the adversary's symbols, drawn by us, as often as each other and independent of the user's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

Drawn = TypeVar("Drawn")


def dealt(random: Random, beside: Sequence[int], symbols: int) -> list[int]:
    """A symbol (0 to symbols - 1) for each trial, given what the user sends on it (n,): equally often to within one, in all and
    beside each of the user's symbols.

    The trials are put in order of the user's symbols, in an order of these that is drawn, and one shuffled deck is dealt to them
    over and over: whatever the user sends, every symbol is as likely as any other, so that the two are independent by law and
    not by accident.
    """
    order = {intent: place for place, intent in enumerate(random.sample(sorted(set(beside)), len(set(beside))))}
    rows = sorted(random.sample(range(len(beside)), len(beside)), key=lambda row: order[beside[row]])
    deck, drawn = random.sample(range(symbols), symbols), [0] * len(beside)
    for place, row in enumerate(rows):
        drawn[row] = deck[place % symbols]
    return drawn


def dealt_pairs(random: Random, count: int, intents: int, symbols: int) -> list[tuple[int, int]]:
    """(what the user sends, what the adversary does) for `count` trials in random order, both balanced, dealt as above."""
    first = random.sample(range(intents), intents)
    sent = [first[place % intents] for place in range(count)]
    random.shuffle(sent)
    return list(zip(sent, dealt(random, sent, symbols), strict=True))


def evenly(random: Random, pool: Sequence[Drawn], symbol: Callable[[Drawn], int], count: int, used: Counter[int]) -> list[Drawn]:
    """`count` of the pool (or all of it), each time one of those whose symbol was used least so far; `used` goes on counting."""
    left, chosen = random.sample(list(pool), len(pool)), list[Drawn]()
    for _ in range(min(count, len(left))):
        place = min(range(len(left)), key=lambda at: used[symbol(left[at])])
        chosen.append(left.pop(place))
        used[symbol(chosen[-1])] += 1
    return chosen
