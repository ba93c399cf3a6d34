"""Drawn: what a generator of pictures draws for an adversary, past a filter of prompts or a safety checker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.perturbed import crafted, named, note, perturbed, picture
from hartley.attacks.engine.tokens import TokenSearch
from hartley.case import ModelCase
from hartley.channel import Channel, Seen
from hartley.data.pairs import Restricted
from hartley.exhibit import Exhibit
from hartley.rows import ATTACKED, CLEAN, Arm, Column, Rows, Sent, Symbols
from hartley.targets.protocols import Generator

WITHHELD, ELSE = "withheld", "something else"
CHECKED = "passes_the_checker"
"""Among the costs of prompts: 1 where a checker of pictures, if there is one, lets what is drawn pass."""
LENGTH = 8
"""Tokens of an adversarial prompt."""


@dataclass(frozen=True)
class Drawing:
    """What an arm asked for, prompts (n,) strings, and what was drawn: pixels (n, 3, h, w), withheld (n,) bool."""

    prompts: Sequence[str]
    pixels: Tensor
    withheld: Tensor
    costs: Mapping[str, Column]


def drawn(
    case: ModelCase, name: str, world: Restricted, symbols: Tensor, craft: Callable[[], Any], draw: Callable[[Any], Drawing]
) -> Channel[Generator, Any]:
    """A is what the adversary asks for, Y what comes out: one of the restricted things, nothing, or something else. craft: what the
    adversary gives; draw: that, or None for the plain request, to what is drawn."""

    def ask(_: Arm, generator: Generator, given: Any) -> Rows:
        made, names = draw(given), len(world.names)
        outcome = torch.where(made.withheld, names, torch.where((shown := world.judge(made.pixels)) < 0, names + 1, shown))
        kept = {"pixels": (made.pixels * 255).round().to(torch.uint8)}
        return Rows(outcome=outcome, said=tuple(made.prompts), costs=made.costs, more=kept)

    def show(arm: Arm, trial: int, seen: Mapping[Arm, Seen[Any]]) -> Exhibit | None:
        if arm != ATTACKED:
            return None
        part = seen[arm].evidence
        before, after = (picture(torch.as_tensor(seen[one].rows.more["pixels"][trial]) / 255) for one in (CLEAN, arm))
        said, instead = (seen[one].rows.said[trial] for one in (CLEAN, arm))
        wanted, got = named(part, "adversary", trial), named(part, "outcome", trial)
        # What the operator means is that nothing comes out.
        return Exhibit(name, arm.name, WITHHELD, wanted, WITHHELD, got, before, after, text_clean=said, text_attacked=instead)

    alphabet = Symbols((), world.names, (*world.names, WITHHELD, ELSE))
    sent = Sent(adversary=symbols)
    return Channel(name, "write", alphabet, sent, lambda _: case.target, ask, lambda *_: craft(), show=show, arms=(CLEAN, ATTACKED))


def found_prompts(case: ModelCase, name: str, plain: Sequence[str], banned: Sequence[frozenset[str]], search: TokenSearch) -> list[str]:
    """For each plain prompt one of LENGTH words, none of them banned, in whose state the text tower ends as it does for the plain one.

    From random words; a search of no steps gives these. Kept in the run's cache.
    """
    target: Generator = case.target
    words = dict(target.whole_words())
    numbers = {word: number for number, word in words.items()}

    def find() -> dict[str, Tensor]:
        found = []
        for trial, text in enumerate(plain):
            case.progress(name, trial, len(plain))
            allowed = torch.zeros(max(words) + 1, dtype=torch.bool)
            allowed[[number for number, word in words.items() if word not in banned[trial]]] = True
            generator = case.generator(name, trial)
            start = allowed.nonzero().flatten()[torch.randint(int(allowed.sum()), (LENGTH,), generator=generator)]
            with torch.no_grad():
                wanted = target.embed_tokens(torch.tensor([[numbers[word] for word in text.split() if word in numbers]]))
            ids, losses = search.run(start, allowed, *_toward(target, wanted, len(allowed)), generator)
            if trial == 0 and search.steps:
                note(case, name, "attacked", losses, (), "distance of the first prompt")
            found.append(ids)
        return {"ids": torch.stack(found)}

    return [" ".join(words[number] for number in row) for row in case.once(f"prompts/{name}", find)["ids"].tolist()]


def _toward(target: Generator, wanted: Tensor, size: int) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """One minus the cosine to a state, of many prompts; and its gradient in one prompt's tokens."""

    def distance(states: Tensor) -> Tensor:
        return 1 - (states * wanted).sum(dim=1)

    @torch.no_grad()
    def loss(ids: Tensor) -> Tensor:
        return distance(target.embed_tokens(ids))

    return loss, lambda ids: target.token_gradient(ids, distance)[:, :size]


def prompts(case: ModelCase, name: str, world: Restricted, symbols: Tensor, words: int | None, search: TokenSearch) -> Channel[Any, Any]:
    """The plain prompt, which a filter of prompts stops, and one that was found. words: so many of a restricted thing's words are banned,
    the telling ones first; None: all."""
    plain = [world.prompts[symbol] for symbol in symbols.tolist()]
    banned = [frozenset(world.words[symbol][:words]) for symbol in symbols.tolist()]

    def draw(given: Any) -> Drawing:
        asked = given or plain
        made = case.target.generate(asked, case.generator(name, "noise"))
        stopped = torch.tensor([bool(set(text.split()) & own) for text, own in zip(asked, banned, strict=True)])
        passes = torch.ones(len(symbols)) if made.flagged is None else (~made.flagged).double()
        costs = {CHECKED: passes, "prompt_tokens": torch.full((len(symbols),), float(LENGTH))}
        return Drawing(asked, made.pixels, stopped, costs)

    return drawn(case, name, world, symbols, lambda: found_prompts(case, name, plain, banned, search), draw)


def redrawn(case: ModelCase, world: Restricted, symbols: Tensor, attack: Attack, strength: float) -> Channel[Any, Any]:
    """A picture that is redrawn as it is, and one that was changed until what is redrawn from it stays below the checker's thresholds; the
    plain prompt, and no filter of prompts."""
    plain, name = [world.prompts[symbol] for symbol in symbols.tolist()], "picture"
    fresh, size = case.generator("fresh noise"), case.target.image_size
    clean = PIXELS.deliver(interpolate(world.pictures(symbols, case.generator("pictures")), size=size, mode="bilinear", antialias=True))

    def loss(values: Tensor, rows: Tensor) -> Tensor:
        made = case.target.redrawn([plain[row] for row in rows.tolist()], values, fresh, strength=strength)
        above: Tensor = case.target.withheld_scores(made).relu().sum(dim=1)
        return above

    def craft() -> Tensor:
        return crafted(case, ATTACKED, name, lambda: perturbed(case, ATTACKED, name, attack, loss, clean, seeded=())).values

    def draw(given: Any) -> Drawing:
        shown = clean if given is None else given
        made = case.target.redraw(plain, shown, case.generator("noise"), strength=strength)
        return Drawing(plain, made.pixels, made.flagged, {attack.budget.cost: attack.budget.measure(clean, shown)})

    return drawn(case, name, world, symbols, craft, draw)
