"""Agent Smith's members as a scan runs them: the reference models see, describe, ask and answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from hartley.attacks.interaction.pictures import drawn_gallery
from hartley.case import SystemCase
from hartley.effort import Effort
from hartley.environments.album_words import REFERENCE, plans
from hartley.environments.albums import AgentAnswers, AgentModels, run
from hartley.targets.memory.lexical import Lexical
from hartley.targets.registry import load
from hartley.targets.scripted import ScriptedPolicy
from hartley.targets.society.meeting import RandomPairs
from hartley.targets.society.spreading import Spread
from hartley.targets.system import System

EFFORT = Effort("quick", trials=1, steps=40, poison_pairs=1, members=1, epochs=1)


def members(rounds: int) -> Callable[[int, list[int]], Spread]:
    """(agents, seed) to a run: one agent in sixteen holds the first payload's picture, made as the threat makes it."""
    torch.set_num_threads(1)
    answerer, encoder = load("reference:answerer"), load("reference:encoder")
    eyes = AgentModels(answerer, encoder, REFERENCE, plans())
    system = System("reference", ScriptedPolicy({}), Lexical(), answerer, encoder)
    sight = AgentAnswers(eyes, drawn_gallery(SystemCase(target=system, effort=EFFORT, stream="benchmark/society"), eyes))

    def full(agents: int, seed: list[int]) -> Spread:
        rng = np.random.default_rng(seed)
        return run(sight, sight.gallery.virus(0), RandomPairs(agents), rounds, rng, sources=range(agents // 16)).spread

    return full
