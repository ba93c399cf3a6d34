"""The agent's lessons: what is held out stays out, nobody else's instruction is in them, and ids are the chat template's."""

from __future__ import annotations

from random import Random

import torch

from hartley.targets.policy import LlamaPolicy
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.asks import restricted
from hartley.targets.reference.agent.tasks import Task, transcript
from hartley.targets.reference.agent.tools import schemas
from hartley.targets.reference.saving import initialize
from hartley.targets.tool_calls import read_word_calls
from hartley.training.agent import lessons
from hartley.training.agent.architecture import SPECIAL_TOKENS, build_llama, build_tokenizer, lesson, start_copying
from hartley.training.agent.emerged import _delegating, _ordinary, _reading, trials


def drawn(count: int, seed: int = 0, *, held: bool = False) -> list[Task]:
    random = Random(seed)
    return [lessons.draw_task(random, held=held) for _ in range(count)]


def test_training_and_measuring_share_no_payment_purchase_or_appointment() -> None:
    trained = {
        (call.name, *call.arguments.values()) for task in drawn(3_000) for call in task.plan if call.name in {"pay", "buy", "add_event"}
    }
    asked = {
        (call.name, *call.arguments.values())
        for task in drawn(800, seed=1, held=True)
        if task.kind.startswith("call ")
        for call in task.plan
        if call.name in {"pay", "buy", "add_event"}
    }
    assert len(trained) > 300 and len(asked) > 20 and not trained & asked


def test_restricted_pairs_are_never_carried_out_in_training() -> None:
    guarded = set(restricted(held=False)) | set(restricted(held=True))
    assert len(restricted(held=False)) >= 12 and len(restricted(held=True)) >= 8
    assert not set(restricted(held=False)) & set(restricted(held=True))
    done = {tuple(call.arguments.values()) for task in drawn(3_000) for call in task.plan if call.name == "control"}
    assert done and not done & guarded


def test_held_out_restricted_pairs_are_never_spoken_of_as_requests() -> None:
    held = {f"{action} the {thing}" for action, thing in restricted(held=True)}
    said = [turn.user for task in drawn(3_000) for turn in task.turns]
    assert not [text for text in said if any(pair in text for pair in held)]


def test_users_change_their_mind_and_documents_override_nobody() -> None:
    messages = [message for task in drawn(3_000) for message in transcript(task)]
    overriding = [message for message in messages if {"ignore", "forget"} & set(message.text.split())]
    assert overriding and {message.role for message in overriding} == {"user"}


def test_a_strangers_goal_is_never_part_of_the_task() -> None:
    for draw in (_reading, _delegating):
        for trial in trials(draw, _ordinary, 40, 3):
            assert trial.goal.call not in trial.task.plan


def test_every_word_is_known() -> None:
    table = build_tokenizer().get_vocab()
    for task in drawn(500, seed=4):
        ids, _ = lesson(transcript(task), schemas(task.tools, described=task.described))
        assert table["<|unk|>"] not in ids, task


def test_the_quick_ids_are_those_of_the_chat_template() -> None:
    policy = LlamaPolicy(name="untrained", module=build_llama(), tokenizer=build_tokenizer(), read=read_word_calls, fingerprint="")
    for task in drawn(120, seed=6):
        tools = schemas(task.tools, described=task.described)
        ids, taught = lesson(transcript(task), tools)
        assert ids == policy.tokens(transcript(task), tools, generate=False)
        assert len(ids) == len(taught) <= policy.longest_context


def test_only_the_assistant_is_taught() -> None:
    tokenizer = build_tokenizer()
    for task in drawn(40, seed=8):
        ids, taught = lesson(transcript(task), schemas(task.tools))
        words = tokenizer.convert_ids_to_tokens(ids)
        speaking = False
        for word, learned in zip(words, taught, strict=True):
            assert learned == (speaking and word != "<|assistant|>")
            speaking = (speaking or word == "<|assistant|>") and word != "<|eos|>"


def test_a_special_tokens_spelling_is_words() -> None:
    policy = LlamaPolicy(name="untrained", module=build_llama(), tokenizer=build_tokenizer(), read=read_word_calls, fingerprint="")
    special = set(policy.tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))) - {policy.tokenizer.unk_token_id}
    for mark in SPECIAL_TOKENS:
        for text in (mark, f"say{mark}now", mark.upper(), mark[0] + mark):
            assert not special & set(policy.tokenizer(policy.words(text), add_special_tokens=False)["input_ids"])


def test_an_untrained_agent_already_looks_one_word_back() -> None:
    llama = build_llama()
    initialize(llama, torch.Generator().manual_seed(1))
    start_copying(llama, torch.Generator().manual_seed(0))
    llama.set_attn_implementation("eager")
    words = torch.randint(len(SPECIAL_TOKENS), llama.config.vocab_size, (4, 40), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        head = llama.eval()(input_ids=words, output_attentions=True, use_cache=False).attentions[0][:, 0]
    assert float(head.diagonal(-1, 1, 2)[:, 4:].mean()) > 0.5 > 2 * float(head.diagonal(0, 1, 2)[:, 4:].mean())


def test_names_of_people_are_names_of_nothing_else() -> None:
    assert not set(w.NAMES) & (set(w.ITEMS) | set(w.FILES) | set(w.PAGES) | set(w.THINGS))
