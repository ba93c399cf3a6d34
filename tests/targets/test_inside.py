"""What is inside a target: layers by name, and gradients by token held against the change that a token brings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hartley.errors import InputError
from hartley.runs import resolve
from hartley.targets.conversation import Message, ask
from hartley.targets.embedder import load_reference
from hartley.targets.inside import ATTENTION, hidden, layers, token_gradient


@pytest.fixture(scope="module")
def reference():
    return resolve.load("reference", "reference", needed=("encoder", "answerer"))


def test_states_come_by_name_with_their_gradients(reference):
    encoder = reference.target
    name = next(name for name in layers(encoder) if "vision" in name and name.endswith("layers.1"))
    pixels = torch.rand(3, 3, *encoder.image_size, requires_grad=True)
    with hidden(encoder, name) as seen:
        encoder.embed_image(pixels)
        encoder.embed_image(pixels[:1])
    assert [len(states) for states in seen[name]] == [3, 1]
    (gradient,) = torch.autograd.grad(seen[name][0].square().sum(), pixels)
    assert gradient.shape == pixels.shape and bool((gradient != 0).any())
    with hidden(encoder, name) as closed:
        pass
    encoder.embed_image(pixels)
    assert not closed, "the hooks are gone with the block"


def test_attention_comes_with_the_layer_that_computes_it():
    class Attending(nn.Module):
        def forward(self, states):
            return states, states.new_ones(len(states), 2, 4, 4)

    class Target:
        def __init__(self):
            self.model = nn.Sequential(Attending())

    target = Target()
    target.__class__.__module__ = "hartley.test"
    with hidden(target, "0") as seen:
        target.model[0](torch.zeros(5, 4))
    assert seen["0"][0].shape == (5, 4) and seen["0" + ATTENTION][0].shape == (5, 2, 4, 4)


def test_a_layer_that_is_not_there_is_refused_with_others_that_are(reference):
    with (
        pytest.raises(InputError, match=r"^layer 'nowhere': there is none; \d+ there are, for example "),
        hidden(reference.target, "nowhere"),
    ):
        pass


def test_a_policy_s_token_gradient_is_the_slope_of_its_loss(reference):
    """Held against the loss itself, with the embedding of one token moved a little toward another's."""
    policy = reference.system.policy
    conversation, wanted = ask("tell me my balance and then lock the door", pictures=0), Message("assistant", "done .")
    (ids,) = policy.tokenizer(["lock the door"], add_special_tokens=False)["input_ids"]
    ids = torch.tensor(ids)

    def loss():
        return -policy.log_likelihood([conversation], [wanted], ())

    gradient = token_gradient(policy, ids, loss)
    table = policy.module.get_input_embeddings().weight
    assert gradient.shape == (len(ids), len(table)) and bool(torch.isfinite(gradient).all())
    other, step = int(gradient[0].argmin()), 1e-2
    direction = table[other] - table[ids[0]]

    def moved(size):
        whole = policy.tokens(conversation, ())
        place = next(at for at in range(len(whole)) if whole[at : at + len(ids)] == ids.tolist())

        def put(module, given, found):
            return torch.cat([found[:, :place], (found[:, place] + size * direction)[:, None], found[:, place + 1 :]], dim=1)

        handle = policy.module.get_input_embeddings().register_forward_hook(put)
        try:
            return float(loss())
        finally:
            handle.remove()

    slope = (moved(step) - moved(-step)) / (2 * step)
    assert float(gradient[0, other] - gradient[0, ids[0]]) == pytest.approx(slope, rel=0.05, abs=1e-3)
    assert slope < 0, "what the gradient likes best lowers the loss to first order"


def test_text_towers_and_embedders_have_one_too(reference):
    encoder, text = reference.target, "a red seven"
    (ids,) = encoder.tokenizer([text], add_special_tokens=False)["input_ids"]
    goal = encoder.embed_text(["a blue four"])
    for asked in (encoder, load_reference()):
        gradient = token_gradient(asked, torch.tensor(ids), lambda asked=asked: 1 - (asked.embed_text([text]) * goal).sum())
        assert gradient.shape[0] == len(ids) and bool((gradient != 0).any())


def test_tokens_that_are_never_read_are_refused(reference):
    policy = reference.system.policy
    with pytest.raises(ValueError, match="never read these tokens"):
        token_gradient(
            policy,
            torch.tensor([5, 5, 5, 5, 5]),
            lambda: policy.log_likelihood([ask("pay anna 30", pictures=0)], [Message("assistant", "no")], ()),
        )
    with pytest.raises(ValueError, match="no gradient"):
        token_gradient(policy, torch.tensor([5]), lambda: torch.zeros(1))
