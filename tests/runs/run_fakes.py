"""A tiny target, data, catalog, and recipes that misbehave on demand. Imported by tests and by their worker processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hartley.bits.value import Bits
from hartley.case import Case, Curve, Exhibit, Flag, Refused
from hartley.errors import InputError
from hartley.evidence import ARMS, Evidence
from hartley.recipe import Recipe
from hartley.runs.parts import Parts
from hartley.runs.plan import Plan
from hartley.runs.resolve import Loaded
from hartley.targets.agent.agent import responses
from hartley.targets.conversation import Message, ask
from hartley.targets.endpoint.client import EndpointPolicy
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System

MARKS = "HARTLEY_TEST_MARKS"
STEADY = Plan(("steady",), "fake:one", seeds=(0,), effort={"trials": 24})
DIE_AT = "HARTLEY_TEST_DIE_AT"
LAYERS = 3


def first_time(name: str) -> bool:
    """True once for each name in the folder that the environment names, whatever process asks."""
    try:
        os.close(os.open(Path(os.environ[MARKS]) / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@dataclass(frozen=True)
class FakeTarget:
    name: str = "fake"
    fingerprint: str = "f" * 8
    capabilities: frozenset[str] = frozenset({"score"})
    modalities: frozenset[str] = frozenset({"image"})


@dataclass(frozen=True)
class FakeData:
    name: str = "numbers"
    fingerprint: str = "d" * 8


@dataclass(frozen=True)
class FakeRate:
    arm: str
    value: float
    n: int

    def to_json(self):
        record = {"name": "targeted top-1", "arm": self.arm, "value": self.value, "low": 0.0, "high": 1.0, "n": self.n}
        return {**record, "estimator": "fake", "headline": True, "better": "attacker"}


@dataclass(frozen=True)
class Row:
    id: str
    implemented: bool = True


@dataclass(frozen=True)
class FakeCatalog:
    def threats(self):
        return (*(Row(name) for name in RECIPES), Row("not-built", implemented=False))

    def defenses(self):
        return (Row("shield"), Row("helmet"), Row("wall", implemented=False))


def check(target, data):
    if target == "fake:absent":
        raise InputError("target 'fake:absent': no such folder")


def load(plan, checked):
    target, data = plan.target, plan.data
    if target.startswith("openai:"):
        endpoint = Endpoint(target, plan.endpoint.settings())
        policy = EndpointPolicy(endpoint)
        return Loaded(None, None, ("behind a server",), System(policy.name, policy, Lexical(), reference=False), endpoint)
    if target == "fake:bad":
        raise InputError("target 'fake:bad': only pickled weights")
    if target == "fake:bug":
        raise ZeroDivisionError("a bug")
    if target == "fake:dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if DIE_AT in os.environ:
        _die_at(os.environ[DIE_AT])
    print("loaded with a word on standard output")
    return Loaded(FakeTarget(fingerprint=target), FakeData(fingerprint=data))


def _die_at(places):
    """kill -9 at the moment when the first file in each of those places would get its name."""
    rename = os.replace

    def replace(source, destination, *, src_dir_fd, dst_dir_fd):
        where = f"{os.readlink(f'/proc/self/fd/{dst_dir_fd}')}/{destination}"
        for place in places.split(","):
            if place in where and first_time(f"died-at-{place.strip('/')}"):
                os.kill(os.getpid(), signal.SIGKILL)
        rename(source, destination, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    os.replace = replace


def crafted(case):
    """Something that all cells of a stream share, slow enough that two workers want it at the same time."""

    def compute():
        with open(Path(os.environ[MARKS]) / "computed.txt", "a") as file:
            file.write(case.stream + "\n")
        time.sleep(0.3)
        return {"weights": torch.randn(LAYERS, LAYERS), "turned": torch.randn(4, 2).T}

    return case.cached("crafted", compute)


def steady(case: Case):
    weights = crafted(case)["weights"]
    inputs = torch.randn(case.effort.trials, LAYERS, generator=case.generator("inputs"))
    outcome = (inputs @ weights + 0.1 * torch.randn(case.effort.trials, LAYERS)).argmax(1).numpy()
    intent = inputs.argmax(1).numpy()
    arms = ["clean", "attacked"] if case.defense is None else ["defended", "defended_attacked", "defended_adaptive"]
    n, rows = case.effort.trials, case.effort.trials * len(arms)
    for step in range(3):
        case.progress("crafting", step + 1, 3)
    picture = np.random.randint(0, 255, (8, 8, 3)).astype(np.uint8)
    wave = np.linspace(-1, 1, 100, dtype=np.float32)
    shown = Exhibit("image", arms[-1], "a", "b", "a", "b", picture, picture // 2, wave, wave * 0.5, 16000, "a word", "a wörd")
    case.exhibits.append(shown)
    case.curves.append(Curve("image", arms[-1], "loss", (1.0, float("nan"), 0.1)))
    case.flags.append(Flag("image", arms[-1], "zero gradients", "because"))
    return (
        Evidence(
            channel="image",
            kind="write",
            intent_alphabet=("a", "b", "c"),
            adversary_alphabet=("a", "b", "c"),
            outcome_alphabet=("a", "b", "c"),
            arm=np.repeat([ARMS.index(arm) for arm in arms], n),
            trial=np.tile(np.arange(n), len(arms)),
            intent=np.tile(intent, len(arms)),
            adversary=np.full(rows, -1),
            outcome=np.tile(outcome, len(arms)),
            success=np.tile((outcome != intent).astype(int), len(arms)),
            costs={"queries": np.arange(rows) / 3, "words_changed": np.full(rows, np.nan)},
        ),
    )


def slow(case):
    time.sleep(1.0)
    return steady(case)


def waits(case):
    """Long in the shared part: the second worker waits longer than its limit would allow."""

    def compute():
        time.sleep(2.5)
        return {"weights": torch.zeros(1)}

    case.cached("long", compute)
    return steady(case)


def raises(case):
    raise RuntimeError("the recipe\nbroke")


def raises_once(case):
    if first_time("raised"):
        raise RuntimeError("only once")
    return steady(case)


def dies(case):
    os.kill(os.getpid(), signal.SIGKILL)


def dies_once(case):
    if first_time("died"):
        os.kill(os.getpid(), signal.SIGKILL)
    return steady(case)


def hangs(case):
    time.sleep(600)


def hangs_once(case):
    if first_time("hung"):
        time.sleep(600)
    return steady(case)


def refuses(case):
    raise Refused("there is nothing to attack here")


def wrong_data(case):
    raise InputError("picture 'x.png' is truncated")


def nothing(case):
    return ()


def asks(case):
    """A question a trial, none like another; what is not answered is left out."""
    questions = [ask(f"{case.stream[:8]} question {number}", pictures=0) for number in range(case.effort.trials)]
    said = responses(case.target.policy, questions, [])
    kept = np.array([place for place, message in enumerate(said) if isinstance(message, Message)], dtype=np.int64)
    if not len(kept):
        raise ZeroDivisionError("a recipe that stumbles over having nothing")
    symbols = (kept % 2).astype(np.int32)
    return (
        Evidence(
            channel="answers",
            kind="write",
            intent_alphabet=("a", "b"),
            adversary_alphabet=("a", "b"),
            outcome_alphabet=("a", "b"),
            arm=np.zeros(len(kept), dtype=np.int8),
            trial=kept,
            intent=symbols,
            adversary=np.full(len(kept), -1, dtype=np.int32),
            outcome=symbols,
            success=np.ones(len(kept), dtype=np.int8),
        ),
    )


RECIPES = {
    "asks": asks,
    "asks-again": asks,
    "asks-too": asks,
    "steady": steady,
    "slow": slow,
    "waits": waits,
    "raises": raises,
    "raises-once": raises_once,
    "dies": dies,
    "dies-once": dies_once,
    "hangs": hangs,
    "hangs-once": hangs_once,
    "refuses": refuses,
    "wrong-data": wrong_data,
    "nothing": nothing,
    "white-box": steady,
}


def rates(evidence):
    return tuple(FakeRate(arm, float(evidence.of(arm).success.mean()), len(evidence.of(arm))) for arm in evidence.arms)


def recipe(threat):
    if threat.startswith("asks"):
        return Recipe(RECIPES[threat], rates, "faithful", {}, needs=frozenset({"text"}), level="system")
    return Recipe(RECIPES[threat], rates, "faithful", {}, needs=frozenset({"grad"} if threat == "white-box" else {"score"}))


def defense(name):
    return object()


def measures(evidence):
    return tuple((arm, Bits(1.0, 0.5, 1.5, len(evidence.of(arm)), "fake", "utility_bits", True)) for arm in evidence.arms)


FAKES = Parts(check, load, recipe, defense, measures, FakeCatalog)
