"""The reference generator's record and model card, measured on the stored weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hartley.targets.reference.ability import Ability, table
from hartley.targets.reference.generator.architecture import GUIDANCE, STEPS, TEXT_WIDTH
from hartley.targets.reference.generator.checker import WITHHELD_SHARE
from hartley.targets.reference.generator.folder import load_generator, load_judge
from hartley.targets.reference.generator.world import RESTRICTED, SIDE
from hartley.targets.reference.saving import write_json
from hartley.training.generator.abilities import AT_LEAST, AT_MOST, abilities
from hartley.training.generator.emerged import emerged
from hartley.training.generator.lessons import CLUTTER_WEIGHT, FULL_SHARE, NO_PROMPT_SHARE
from hartley.training.loop import Recipe
from hartley.training.record import record

ABILITIES_SEED = 20_260_101
TOLERANCE = 0.04
"""How far a measured share of pictures may lie from the record's after another training with the same seed, elsewhere."""


def describe(folder: Path, name: str, recipes: Sequence[Recipe], seconds: float, samples: int) -> None:
    """Measure the written weights and write abilities.json and MODEL_CARD.md.

    seconds: of one processor thread, training. samples: a quarter of them are drawn and looked at for each ability, an
    eighth for each figure of what emerged: a drawn picture costs much more than an answer.
    """
    generator, judge = load_generator(folder, name), load_judge(folder)
    found = abilities(generator, max(1, samples // 4), ABILITIES_SEED, judge)
    untaught = emerged(generator, max(1, samples // 8), ABILITIES_SEED, judge)
    written = record(
        {"abilities": found, "emerged": untaught},
        {"required": {"at least": dict(AT_LEAST), "at most": dict(AT_MOST)}, "tolerance": TOLERANCE},
        recipes,
        seconds,
        ABILITIES_SEED,
    )
    write_json(folder / "abilities.json", written)
    (folder / "MODEL_CARD.md").write_text(_card(found, untaught, recipes, seconds), encoding="utf-8")


def _card(found: Mapping[str, Ability], untaught: Mapping[str, Ability], recipes: Sequence[Recipe], seconds: float) -> str:
    judging, coding, denoising = recipes
    restricted = " and ".join(f"a {color} {digit}" for digit, color in RESTRICTED)
    return f"""# Reference generator

A Stable Diffusion in miniature, from diffusers' own classes: an autoencoder ({SIDE} x {SIDE} x 3 to 8 x 8 x 8), a denoising network
with cross-attention to the prompt, the reference encoder's text tower, and a safety checker that looks through the reference
encoder's picture tower. It draws one colored handwritten digit in a corner of a cluttered picture. It exists to be attacked and
defended on any machine in minutes; it is of no use for anything else. `StableDiffusionPipeline.from_pretrained` loads this
folder, without the checker.

## Data
Scenes of the reference family (see the encoder's card) scaled down to {SIDE} pixels, training handwriting only. Prompts come from
the family's caption templates; {FULL_SHARE:.0%} name the whole concept, the others a part of it; {NO_PROMPT_SHARE:.0%} are left out.

## Recipe
- Judge, {judging.steps:,} steps of {judging.batch}: a small convolutional network on real scenes under slight noise; it shares nothing with
  the encoder and only measures.
- Autoencoder, {coding.steps:,} steps of {coding.batch}: L1 between pictures and between their gradients, latents slightly shaken.
- Denoising network, {denoising.steps:,} steps of {denoising.batch} on a pool of encoded scenes: velocity, cosine schedule down
  to no signal, min-SNR weights, quadrants without a digit at {CLUTTER_WEIGHT:g} of the weight of the others, running mean of the weights.
- AdamW {denoising.rate:g}, decay {denoising.decay:g}, cosine; seed {denoising.seed}. Weights are stored as fp16. Training took
  {seconds / 60:.0f} minutes of one processor thread. Drawing: DDIM, {STEPS} steps, guidance {GUIDANCE:g}.
- `python -m hartley.training generator` makes such a model again, and twice the same one from one seed on one
  machine. The shipped weights are from before one start vector of {TEXT_WIDTH} numbers was seeded: a retraining ends with other weights,
  and its shares of drawn pictures should agree with those below within {TOLERANCE:g}.

## Safety checker
As in Stable Diffusion, a picture is withheld when the cosine of its embedding to a restricted concept's caption is above that
concept's threshold. Restricted are {restricted}, anywhere in the picture: harmless placeholders. The thresholds are the lowest that
withhold about {WITHHELD_SHARE:.0%} of other training pictures. The network itself was trained on all concepts alike, and prompts
are not filtered.

## Measured on held-out handwriting
Shares by the stored weights, with exact 95% intervals. Drawn pictures are judged by the judge, whose own accuracy on real pictures
stands in the table. Chance is 0.10 for a digit, 1/240 for a concept.

{table(found, AT_LEAST, AT_MOST)}

"Restricted drawn pictures": drawn from restricted prompts, and the judge sees the restricted concept. "Other drawn pictures": drawn
from other prompts, and the judge sees none.

## What emerged
Nothing below was taught. Perturbations are of 8/255, by projected gradient steps against the checker or the autoencoder; random
noise of the same size stands beside them.

{table(untaught, {}, {})}

## Limits
All handwriting comes from one small set. The judge errs too, and a picture that it misreads counts against the generator.
"""
