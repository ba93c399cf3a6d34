"""The memory flow's three recipes on the reference agent with tiny effort: what every recipe promises."""

import inspect

import pytest
import torch

from hartley.attacks.memory import anderson_rag_mia, poisonedrag, spill_the_beans, spills
from hartley.bits.for_evidence import for_evidence
from hartley.case import SystemCase
from hartley.defenses.system.retrieval_isolation import DEFENSE
from hartley.effort import Effort
from hartley.evidence import Evidence
from hartley.targets.memory.lexical import Lexical
from hartley.targets.reference import agent
from hartley.targets.system import System

TINY = Effort("tiny", trials=16, steps=1, poison_pairs=0, members=8, epochs=1)
RECIPES = {
    "poisonedrag": (poisonedrag, {"1 text": "write", "3 texts": "write", "5 texts": "write"}),
    "anderson_rag_mia": (anderson_rag_mia, {"answer": "read", "log likelihood": "read", "lookup": "read", "service": "jam"}),
    "spill_the_beans": (
        spill_the_beans,
        {
            **dict.fromkeys(("passwords", "passwords, readers respected", "private facts", "private facts, readers respected"), "read"),
            "records": "read",
            "service": "jam",
        },
    ),
}
ARMS = ("clean", "attacked", "defended", "defended_attacked", "defended_adaptive")


@pytest.fixture(scope="module", autouse=True)
def _small_pilots():
    with pytest.MonkeyPatch.context() as patch:
        for module in (poisonedrag, anderson_rag_mia, spill_the_beans):
            patch.setattr(module, "PILOT", 4)
        patch.setattr(spills, "QUERIES", 6)
        yield


@pytest.fixture(scope="module")
def system():
    if not (agent.FOLDER / "model.safetensors").is_file():
        pytest.skip("the reference agent has no weights")
    return System("reference:agent", agent.load(), Lexical())


def run(system, name, guard, shelf):

    def cached(key, compute):
        if key not in shelf:
            shelf[key] = compute()
        return shelf[key]

    case = SystemCase(target=system, defense=guard, effort=TINY, stream=f"contract/{name}", cached=cached)
    return case, getattr(RECIPES[name][0], name)(case)


@pytest.mark.parametrize("name", RECIPES)
def test_a_memory_recipe_repeats_itself_and_meets_isolation_with_the_same_attack(system, name) -> None:
    module, channels = RECIPES[name]
    heads = [line.split(":")[0].strip() for line in inspect.getdoc(getattr(module, name)).splitlines()]
    assert [head for head in heads if head in ("Claim", "Does", "Left out", "Bends")] == ["Claim", "Does", "Left out", "Bends"]
    state, shelf = torch.get_rng_state(), {}
    bare_case, bare = run(system, name, None, shelf)
    case, tables = run(system, name, DEFENSE, shelf)
    assert torch.equal(torch.get_rng_state(), state), "the recipe drew from the global generator"
    assert {table.channel: table.kind for table in tables} == {table.channel: table.kind for table in bare} == channels
    for table, plain in zip(tables, bare, strict=True):
        assert plain.arms == ARMS[:2]
        # A safeguard gives out words alone, so that behind one there is no gray box; a lookup has no wording to choose.
        assert table.arms == {"log likelihood": ARMS[:2], "lookup": ARMS[:4]}.get(table.channel, ARMS)
        assert all(table.of(arm) == plain.of(arm) for arm in plain.arms)
        assert Evidence.from_arrays(table.to_arrays()) == table
        assert {"utility_bits", "adversary_bits", "margin_bits"} <= {bits.kind for _, bits in for_evidence(plain)}
        rates = module.rates(table)
        assert {rate.arm for rate in rates} == set(table.arms)
        assert table.channel == "service" or any(rate.headline for rate in rates)
    # A cell that finds what was said in the cache shows what the one shows that asked.
    warm_case, warm = run(system, name, None, shelf)
    assert all(one == two for one, two in zip(bare, warm, strict=True))
    assert (bare_case.curves, bare_case.flags, bare_case.exhibits) == (warm_case.curves, warm_case.flags, warm_case.exhibits)
    assert (
        {one.arm for one in bare_case.exhibits} >= {"attacked"}
        and {one.arm for one in case.exhibits} >= set(ARMS[3:])
        and all(one.found for one in (*bare_case.exhibits, *case.exhibits))
    )
