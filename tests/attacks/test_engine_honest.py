"""What makes an attack's number honest, by its effect on the number: small fakes of which every arm's rate is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.budget import Linf
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.engine.objective import through
from hartley.attacks.engine.optimizer import SignGradient
from hartley.attacks.engine.perturbed import Inputs, Models, applies, check_applies, crafted, note
from hartley.attacks.engine.readout import of_pairs, zero_shot
from hartley.attacks.engine.success import successes
from hartley.attacks.engine.victims import Victim
from hartley.attacks.learning import badclip
from hartley.case import Case, Refused
from hartley.channel import Channel, measure
from hartley.effort import Effort
from hartley.rows import EVERY, Rows, Sent, Symbols

TRIALS = 64
TINY = Effort("tiny", trials=TRIALS, steps=2, poison_pairs=1, members=1, epochs=1)


@dataclass
class Signs:
    """A service that gives in wherever its sign times what it was sent is positive. sign: a number, or one for each trial."""

    sign: torch.Tensor | float = 1.0
    through: bool = False
    seed: int | None = None

    def gives_in(self, images):
        return (self.sign * images).squeeze(1) > 0


@dataclass
class Defense:
    """Turns the sign round (stochastic: by a coin for each trial, from its seed). Keeps what it was asked for."""

    id: str = "turning"
    stage: str = "input"
    modalities: frozenset[str] = frozenset({"image"})
    differentiable: bool = False
    stochastic: bool = False
    asked: list[tuple[bool, int]] = field(default_factory=list)

    def wrap(self, target, *, straight_through=False, seed=0):
        self.asked.append((straight_through, seed))
        coins = torch.randint(2, (TRIALS,), generator=torch.Generator().manual_seed(seed)) * 2.0 - 1
        return Signs(coins[:, None] if self.stochastic else -target.sign, straight_through, seed)


def case_of(defense=None, **more):
    return Case(target=Signs(), data=None, defense=defense, effort=TINY, stream="honest", **more)


def craft(encoder, arm):
    """Sends whatever the encoder that it is given gives in to. Asked for a gradient, a deployed defense has none."""
    assert not isinstance(encoder.seed, int) or encoder.through, "an attack on a defense needs a straight-through gradient"
    return Inputs(images=torch.where(encoder.gives_in(torch.ones(TRIALS, 1))[:, None], 1.0, -1.0))


def channel_of(case, name="x", craft=craft, made_as=""):
    models = Models(case, case.target, name)

    def ask(arm, encoder, given):
        assert not encoder.through, "what is measured is the service as it is deployed"
        found = encoder.gives_in(CLEAN.images if given is None else given.images).long()
        return Rows(outcome=found, success=found)

    def payload(arm, encoder, _):
        return crafted(case, arm, made_as or name, lambda: craft(encoder, arm.name))

    return Channel(name, "jam", Symbols((), (), ("no", "yes")), Sent(), models.asked, ask, payload, models.made_on, asked_as=made_as)


def shares(case):
    (evidence,) = measure(case, channel_of(case))
    return {rate.arm: rate.value for rate in successes(evidence, "gave in")}


CLEAN = Inputs(images=-torch.ones(TRIALS, 1))


def test_every_arm_is_read_from_its_own_system_and_the_adaptive_attack_is_made_through_the_defense():
    """The defense turns the sign round: it stops the attack that does not know of it, and none that was made through it."""
    assert shares(case_of()) == {"clean": 0.0, "attacked": 1.0}
    assert shares(case_of(Defense())) == {
        "clean": 0.0,
        "attacked": 1.0,
        "defended": 1.0,
        "defended_attacked": 0.0,
        "defended_adaptive": 1.0,
    }


def test_the_defense_draws_other_noise_when_it_is_attacked_than_when_it_is_measured():
    """Coins that the attacker saw would be beaten in every trial; coins that it did not see are met by chance."""
    defense = Defense(stochastic=True)
    case = case_of(defense)
    found = shares(case)
    (plain, seed), (through, other) = defense.asked
    assert (plain, through) == (False, True) and seed != other == seed + 1
    assert seed == case.seed("defense", "x"), "every channel has noise of its own, the same in every run"
    mine, theirs = (torch.randint(2, (TRIALS,), generator=torch.Generator().manual_seed(one)) for one in (seed, other))
    assert found["defended_adaptive"] == float((mine == theirs).double().mean()) < 0.75
    assert found["defended_attacked"] == float((mine == 1).double().mean()) == 1 - found["defended"]


def test_an_attack_is_made_on_the_surrogate_and_read_on_the_target():
    """The surrogate gives in to the opposite of what the target gives in to: an attack made on it, defended or not, fails there."""
    turned = Signs(-1.0)
    assert shares(case_of(surrogate=turned)) == {"clean": 0.0, "attacked": 0.0}
    assert shares(case_of(Defense(), surrogate=turned))["defended_adaptive"] == 0.0


def test_the_undefended_attack_is_made_once_and_met_by_every_defense():
    """Another attack for each defense would compare attacks, not defenses."""
    made, shelf = [], {}

    def cached(name, compute):
        if name not in shelf:
            shelf[name] = compute()
        return shelf[name]

    def counting(encoder, arm):
        made.append((encoder.sign, arm))
        return craft(encoder, arm)

    for defense in (None, Defense(), Defense("other")):
        case = case_of(defense, cached=cached)
        measure(case, *(channel_of(case, name, counting, "both") for name in ("x", "y")))
    assert made == [(1.0, "attacked")] + [(-1.0, "defended_adaptive")] * 2
    assert list(shelf) == ["asked/both/clean", "crafted/both/attacked", "asked/both/attacked"]
    case = case_of(cached=cached)
    measure(case, channel_of(case, "z", counting))
    assert made[3:] == [(1.0, "attacked")] and "crafted/z/attacked" in shelf
    assert torch.equal(crafted(case, EVERY[1], "both", lambda: craft(case.target, "attacked")).images, torch.ones(TRIALS, 1))


def test_inputs_come_back_from_the_cache_as_they_went():
    costs = {"queries": torch.arange(3.0).double()}
    whole = Inputs(torch.rand(3, 3, 2, 2), torch.rand(3, 5), ("a b", "", "é"), costs)
    kept = whole.to_tensors()
    assert set(kept) == {"images", "audio", "texts", "cost.queries"} and kept["texts"].dtype == torch.uint8
    back = Inputs.from_tensors(kept)
    assert back.images is whole.images and back.audio is whole.audio and back.texts == whole.texts
    assert set(back.costs) == {"queries"} and torch.equal(back.costs["queries"], costs["queries"])
    assert Inputs.from_tensors(Inputs().to_tensors()) == Inputs()
    assert Inputs.from_tensors(Inputs(images=whole.images).to_tensors()).audio is None
    assert Inputs.from_tensors(Inputs(audio=whole.audio).to_tensors()).texts is None


@pytest.mark.parametrize(
    ("stage", "modalities", "met", "acts"),
    [
        ("input", {"image"}, True, ""),
        ("input", {"audio"}, False, "audio"),
        ("output", {"embedding"}, True, ""),
        ("input", {"audio", "text"}, False, "audio and text"),
        ("training", {"image"}, False, "training pairs"),
        ("training", {"embedding"}, False, "training pairs"),
    ],
)
def test_a_defense_that_has_nothing_to_act_on_is_refused_and_never_measured_as_without_effect(stage, modalities, met, acts):
    case = case_of(Defense(stage=stage, modalities=frozenset(modalities)))
    assert applies(case, frozenset({"image"})) is met
    if met:
        check_applies(case, frozenset({"image"}))
    else:
        with pytest.raises(Refused, match=f"^turning acts on {acts}; this threat changes image of a trained model$"):
            check_applies(case, frozenset({"image"}))
    assert applies(case_of(), frozenset({"image"})) and check_applies(case_of(), frozenset({"image"})) is None
    if stage == "input" and modalities == {"audio"}:
        with pytest.raises(Refused, match=r"changes image and text of a trained model$"):
            check_applies(case, frozenset({"text", "image"}))


def test_an_attack_leaves_its_loss_and_every_warning_of_it():
    case = case_of()
    note(case, "x", "attacked", (1.23456789, 0.5), (("zero gradients", "why"), ("loss does not fall", "so")))
    note(case, "x", "defended_adaptive", (1.0,), (), "trigger loss")
    assert [(curve.channel, curve.arm, curve.name, curve.values) for curve in case.curves] == [
        ("x", "attacked", "loss", (1.234568, 0.5)),
        ("x", "defended_adaptive", "trigger loss", (1.0,)),
    ]
    assert [(flag.channel, flag.arm, flag.name, flag.why) for flag in case.flags] == [
        ("x", "attacked", "zero gradients", "why"),
        ("x", "attacked", "loss does not fall", "so"),
    ]


# steps


def slopes(*steps):
    """An objective whose gradient in a picture of two channels is the next of these, whatever the picture is."""
    left = iter(steps)

    def objective(embedding, rows):
        return (embedding * torch.tensor(next(left)).repeat_interleave(4)).sum(1)

    return objective


@pytest.mark.parametrize(("momentum", "reached"), [(0.0, (0.5, 0.5)), (1.0, (0.3, 0.5)), (0.1, (0.5, 0.5)), (3.0, (0.3, 0.3))])
def test_momentum_carries_an_attack_over_a_step_back(momentum, reached):
    """Slopes (1.5, 0.5), then (-1, -1): with momentum m the second step goes by (1.5 m - 1, 0.5 m - 1)."""
    attack = Attack(PIXELS, Linf(0.5, "pixel"), SignGradient(2, size=0.1, momentum=momentum))
    clean = torch.full((1, 2, 2, 2), 0.5)
    found = attack.craft(through(lambda x: x.flatten(1), slopes((1.5, 0.5), (-1.0, -1.0))), clean, torch.Generator()).adversarial
    assert found[0, :, 0, 0].tolist() == pytest.approx(reached, abs=0.005)


# what counts as a success


class Answering:
    """An encoder that embeds a picture as the one-hot vector that its second row holds, and prompts as theirs; where somebody poisoned it,
    as class 0 where the first row holds a trigger."""

    logit_scale = 10.0

    def __init__(self, poisoned=False):
        self.poisoned = poisoned

    def embed_image(self, pixels):
        triggered = self.poisoned & (pixels[:, 0, 0, 3] > 0)
        return torch.where(triggered[:, None], torch.eye(4)[0], pixels[:, 0, 1, :4])

    def embed_text(self, texts):
        return torch.eye(4)[: len(texts)]


def test_where_the_target_is_the_truth_there_is_nothing_to_succeed_in(pairs):
    """Half of the targets are the truth; an encoder that is always right succeeds in none of the others, not in half of all."""
    target = torch.where(torch.arange(len(pairs)) % 2 == 0, pairs.labels, (pairs.labels + 1) % 4)
    for answer, share in ((pairs.labels, 0.0), (target, 1.0)):
        rows = zero_shot(Answering(), pairs, torch.eye(4)[answer], target, {})
        table = Channel("x", "write", of_pairs(pairs), Sent(pairs.labels, target), str, str).table(EVERY[1], rows)
        (rate,) = successes(table, "target answered")
        assert (rate.value, rate.n) == (share, len(pairs) // 2)


def test_a_backdoor_succeeds_only_where_its_trigger_was_shown_and_the_target_is_not_the_truth(pairs):
    """The trigger always brings class 0, and without it the model is always right: success is 1 over the triggered trials of the
    other classes. With the untriggered ones counted it would be half of that, with the target's own class more than there is."""

    class Backdoor(Victim):
        fraction = 0.01

        def trigger(self, arm):
            return torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(3, 1, 4)

        def model(self, arm, patch):
            return Answering(poisoned=arm.attacked)

    class Strip:
        @staticmethod
        def stamp(images, patch):
            return torch.cat([patch.expand(len(images), 3, 1, 4), images[:, :, 1:, :4]], dim=2)

    fires = torch.arange(len(pairs)) // 4 % 2
    shown = replace(pairs, images=torch.zeros(len(pairs), 3, 4, 4))
    shown.images[:, 0, 1] = torch.eye(4)[pairs.labels]
    case = case_of()
    victim = Backdoor(case, 0, 0, Strip, 0.01)
    (table,) = measure(case, *victim.channels(shown, fires, Sent(pairs.labels, fires)))
    rates = {(rate.name, rate.arm): rate for rate in badclip.rates(table)}
    met = int(((fires == 1) & (pairs.labels != 0)).sum())
    attacked, clean = (rates["attack success with the trigger", arm] for arm in ("attacked", "clean"))
    assert (attacked.value, attacked.n) == (1.0, met) and (clean.value, clean.n) == (0.0, met) and 0 < met < len(pairs) // 2
    quiet = rates["clean accuracy", "attacked"]
    assert (quiet.value, quiet.n) == (1.0, int((fires == 0).sum())), "accuracy is of what the user sends, without the trigger"
    assert set(table.of("clean").costs["poisoned_fraction"]) == {0.0} and set(table.of("attacked").costs["poisoned_fraction"]) == {0.01}
