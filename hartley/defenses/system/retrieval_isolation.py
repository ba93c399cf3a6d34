"""Retrieval isolation (RobustRAG, Xiang et al., 2024): an answer from each passage alone, then a vote of the answers' keywords.

What is certain, whatever a planted text says: an answer depends on its own passage alone, so k' passages are k' votes. Let an
answer be given with w votes over the honest passages, and let r be the most that any other answer has.

    w - r > 2 k'   it is given still when k' passages were changed, or stand where honest ones stood (w - k' against r + k').
    w - r > k'     it is given still when k' passages were added, or stand where passages stood that abstained.
    w >= 2 k'      an answer that no honest passage supports is not given, whatever happens to the rest (k' against w - k').

Nothing is certain about more passages than that: an attacker who plants most of what is retrieved has most of the votes.
`margin` and `certified_passages` say it of a given vote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hartley.defenses.system.safeguard import Safeguard
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.memory.memory import Passage
from hartley.targets.memory.reading import Reading

ABSTAINS = "i do not know ."
_WORD = re.compile(r"\w+(?::\w+)*")
_KNOWS_NOT = re.compile(r"\b(?:do not|don't|does not|doesn't|cannot|can't|could not) (?:know|say|tell|answer|mention|contain|find)")
_FUNCTION_WORDS = frozenset(
    _WORD.findall(
        "a an and are as at be by for from has have he her his i in is it its of on or she that the their they this to was were with"
    )
)
_STEM = 4


@dataclass(frozen=True)
class Vote:
    """What the passages' answers come to. answer: what is given. votes: how many passages said so; others: the most of any other."""

    answer: str
    votes: int
    others: int

    @property
    def margin(self) -> int:
        """w - r; 0 where the vote is tied or nobody answered."""
        return self.votes - self.others

    @property
    def certified_passages(self) -> int:
        """The most passages that an attacker may change, or put in the place of others, without changing the answer; -1 for none given."""
        return (self.margin - 1) // 2


def keywords(answer: str, question: str) -> frozenset[str]:
    """What an answer says beyond its question: its words without function words and without words that begin like one of the
    question's; all of its words where that leaves none ("yes"). Empty for an answer that says it does not know."""
    words = _WORD.findall(answer.lower())
    if not words or _KNOWS_NOT.search(answer.lower()):
        return frozenset()
    asked = {word[:_STEM] for word in _WORD.findall(question.lower())}
    telling = frozenset(word for word in words if word not in _FUNCTION_WORDS and word[:_STEM] not in asked)
    return telling or frozenset(words)


def vote(question: str, answers: Sequence[str]) -> Vote:
    """One vote for each answer's keywords; answers without any abstain. A tie at the top is no answer.

    The words given are those of the shortest answer of the winners, the first such; another order of the answers gives the same.
    """
    said = [(keywords(answer, question), answer) for answer in answers]
    counted = Counter(words for words, _ in said if words).most_common()
    if not counted:
        return Vote(ABSTAINS, 0, 0)
    (winner, votes), others = counted[0], counted[1][1] if len(counted) > 1 else 0
    if votes == others:
        return Vote(ABSTAINS, votes, others)
    return Vote(min((answer for words, answer in said if words == winner), key=lambda answer: (len(answer), answer)), votes, others)


class Isolated:
    """A reader that is shown one passage at a time and never two together; satisfies `Reading`."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def __call__(self, questions: Sequence[str], passages: Sequence[Sequence[Passage]]) -> list[str | NotMeasured]:
        rows = [(question, self._alone(own)) for question, own in zip(questions, passages, strict=True)]
        answers = self.reading([question for question, own in rows for _ in own], [alone for _, own in rows for alone in own])
        if len(answers) != sum(len(own) for _, own in rows):
            raise ValueError(f"{sum(len(own) for _, own in rows)} passages were read, and {len(answers)} answers came back")
        left = iter(answers)
        return [self._aggregated(question, [next(left) for _ in own]) for question, own in rows]

    @staticmethod
    def _alone(passages: Sequence[Passage]) -> list[tuple[Passage, ...]]:
        """Each passage as if it had been the only one found; a question for which nothing was found is asked without any."""
        return [(replace(passage, rank=1),) for passage in passages] or [()]

    @staticmethod
    def _aggregated(question: str, answers: Sequence[str | NotMeasured]) -> str | NotMeasured:
        said = [answer for answer in answers if not isinstance(answer, NotMeasured)]
        # A missing vote would be a guess: without all answers there is no measurement.
        return next((answer for answer in answers if isinstance(answer, NotMeasured)), None) or vote(question, said).answer


DEFENSE = Safeguard("retrieval-isolation", reading=Isolated)
