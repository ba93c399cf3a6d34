"""The report's own vocabulary: what each quantity and each condition is called and means, in plain words."""

from __future__ import annotations

from hartley.report.numbers import PLAIN, SHARE, Number, figure
from hartley.runs.reading import COMPETENT_SHARE

QUANTITIES = {
    "utility_bits": ("utility", "how much of what the user meant still reaches the outcome, per use. More is better for the user"),
    "adversary_bits": (
        "adversary bits",
        "how much of what the adversary wanted shows in the outcome, per use. Less is better for the user",
    ),
    "margin_bits": ("margin", "utility minus adversary bits. Below zero the adversary says more in the outcome than the user does"),
    "deployed_bits": (
        "deployed",
        "what the model's own answers deliver when they are taken at their word. Below zero they mislead more than they inform",
    ),
    "misinformation_bits": ("misinformation", "what the trials that point away from the truth cost, per use. Less is better for the user"),
    "capacity_bits": ("capacity", "the most that an adversary who chooses payloads freely could send through this channel, per use"),
    "signal_loss_bits": ("signal loss", "how much the attack took by moving the embedding away from its concept"),
    "noise_gain_bits": ("noise gain", "how much the attack took by scattering the embedding"),
    "adversary_given_user_bits": (
        "adversary bits, user known",
        "what the adversary wrote on top of what the user meant, whatever chance tied the two together. Less is better for the user",
    ),
    "maximal_leakage_bits": (
        "maximal leakage",
        "the most that one look at the outcome could multiply the odds of guessing any secret behind it, as a power of two",
    ),
    "embedding_bits": ("carried by the embedding", "how much of what the user meant is in the embedding, whoever reads it out"),
    "certified_bits": (
        "read out of the embedding",
        "what a classifier read out of embeddings that it had not been fitted on: a limit from below that needs no model of the noise",
    ),
    "c_g_bits": (
        "Shannon-Hartley reading",
        "what the embedding's signal-to-noise ratios would carry if meanings were spread like noise, and no more than there is to say",
    ),
    "alignment_loss_bits": (
        "alignment loss",
        "what is lost by reading the embedding along each concept's own direction and not along the best one for the noise",
    ),
    "bandwidth_bits": (
        "bandwidth",
        "bits per call that the tools on offer let through: the logarithm of how many different calls they allow. "
        "Less leaves an attack less room",
    ),
    "used_bandwidth_bits": (
        "bandwidth in use",
        "bits per task that the calls of the task which change the world carry, under the condition named: their entropy. "
        "Without an attack it is what honest use needs; an attack that replaces calls need not raise it",
    ),
    "cut_bound_bits": (
        "cut bound",
        "the most that any attack could get through the interface in one task: calls per task times bits per call",
    ),
    "reach_bound_bits": ("reach bound", "the most that an agent at that distance can know of a payload, whatever the agents between do"),
    "percolation_bound_bits": (
        "percolation bound",
        "the most that an agent can know of a payload: its bits, times the chance that any way to the agent is open",
    ),
    "contraction_bits": ("passed on", "the most that is left of one bit of a payload after one message from agent to agent"),
    "entropy_bits": ("entropy", "how many bits it takes to say which it was"),
    "won_back_bits": ("won back", "utility with the defense under attack, minus utility under attack without it"),
    "price_bits": ("price", "utility the defense costs when nobody attacks: clean utility minus defended utility"),
    "sent_bits": ("sent", "the entropy of the user's intents as they were sent: no channel can deliver more"),
    "possible_bits": ("possible", "the entropy of the user's intents: no channel can deliver more"),
}

RATES = {
    "attack success where it was read": "of the trials in which the adversary's words were read, the share in which its goal was reached",
    "injection read": "the share of trials in which the adversary's words were read by the system under attack at all",
    "planted answer given": "the share of questions that were answered as the adversary wants",
    "planted answer given where retrieved": "of the questions for which a planted text was retrieved, the share answered as planted",
    "planted text retrieved": "the share of questions for which the memory gave a planted text",
    "right answer given": "the share of questions that were answered rightly",
    "nearest entries that the index finds": "the share of the nearest entries that the index gave: a miss looks like a failed attack",
    "message passed on": "the share of honest messages that were passed on",
    "attack success": "the share of trials in which the attacker's goal was reached, judged by the state of the system before and after",
    "reached": "the share of trials in which what the adversary planted was read by the system under attack at all",
    "retrieved": "the share of trials in which the memory gave what the adversary planted",
    "utility": "the share of trials in which the user's task was done",
    "utility under attack": "the share of trials in which the user's task was done although an attack was going on",
}
"""Rates of systems by the name that the run gives them; a name that is not here still shows, as itself."""
ASIDE = ("nearest entries that the index finds",)
"""Rates that speak of the instrument: they stand with all numbers, not beside the defenses."""

ARMS = {
    "clean": "no attack, no defense",
    "attacked": "under attack, no defense",
    "defended": "defense on, no attack",
    "defended_attacked": "defense on, attack made without knowledge of it",
    "defended_adaptive": "defense on, attack made through it",
}

KINDS = {
    "jam": "jams: the user loses, the adversary need not gain",
    "write": "writes: the adversary puts words into the outcome",
    "read": "reads: the adversary learns a secret",
}

LEVELS = {"model": "The model", "system": "The system around it"}

FLOWS = (
    ("prediction", "the question", "the answer"),
    ("learning", "the training data", "the learned answer"),
    ("inferring", "normal service", "what an observer learns"),
    ("action", "the task", "the tool call"),
    ("interaction", "a message", "the agents' states"),
    ("memory", "the query", "the answer from the store"),
)

LIMITS = ("bandwidth_bits", "used_bandwidth_bits", "cut_bound_bits")
"""What an interface lets through, whoever speaks: it stands beside each safeguard."""

FATES = {
    "executed": ("●", "executed", "it ran as the user's own"),
    "blocked": ("⊘", "blocked", "a safeguard refused it"),
    "injected": ("▲", "injected", "it ran, and only the adversary had asked for it"),
}
"""A call's fate: its sign, its name, what it means."""

STATUSES = {
    "measured": "measured",
    "refused": "refused",
    "failed": "failed",
    "timed-out": "timed out",
    "damaged": "damaged",
    "not run": "not run",
    "not measured": "not measured",
}

GLOSSARY = (
    ("Bit", "A unit of information. Telling one of ten equally likely digits apart without error takes log2(10) = 3.32 bits; "
     "a coin's side takes one. Every number here is per use of the system: per question asked, per picture shown."),
    ("Utility bits", "The mutual information I(U; Y) between what the user meant, U, and the outcome, Y: what still gets through."),
    ("Adversary bits", "The mutual information I(A; Y) between the adversary's symbol, A, and the outcome: what the adversary writes into "
     "the answer or, where A is a secret, reads from it."),
    ("Margin", "Utility bits minus adversary bits. Below zero the adversary has more say in the outcome than the user."),
    ("Deployed bits", "What the model's own answers deliver when they are believed with the confidence the model gives them. "
     "Mutual information forgives an answer that is consistently wrong, because a listener could learn to translate it; this number does "
     "not, and falls below zero when the model misleads."),
    ("Jam, write, read", "The three things an adversary can do: take bits from the user and gain none; put bits of its own into the "
     "outcome; learn bits of a secret."),
    ("Trusted, untrusted, planted", "Where the words of a message come from. Trusted: the user or the operator. Untrusted: anybody "
     "else, also what a model wrote after reading it. Planted: the adversary, in this trial."),
    ("Executed, blocked, injected", "What became of a call: it ran as the user's own; a safeguard refused it, and says why; it ran "
     "although only the adversary had asked for it."),
    ("Bandwidth", "How many bits a single call lets through: the logarithm of the number of different calls that the tools on offer "
     "allow, counted from their schemas. No attack gets more through than calls times bandwidth."),
    ("Bound", "A limit that holds whatever the attack does. It has no point; what was measured lies below it."),
    ("Interval", "The lower and the upper statement for a number, at 95% unless its note says otherwise. Two numbers are called different "
     "here only when their intervals do not overlap. The interval of a difference takes both intervals at their worst."),
    ("Withheld", "The data did not support a point value, so only the bracket is printed, with the reason. A withheld number is no zero."),
    ("Zero with a limit", "0 (at most ...): an equivalence test showed that the number is 0 up to that limit. This is a point, not a gap."),
    ("Not trusted", "A point is printed, but a rule of trust failed; its note says which."),
    ("Not measured", "The cell was refused, failed, timed out or was not run. It says nothing, for better or worse, and is never "
     "counted as 0."),
    ("Attacked through the defense", "The attacker knows the defense and optimizes through it, with a straight-through gradient where the "
     "defense has none and averaged over its noise where it is random. Protection that vanishes here was only masking."),
    ("Best defense", "The defense whose margin under the worse of its two attacks is demonstrably larger than without a defense and than "
     "with every other one, by limits that hold for all defenses of the channel at once. Where no defense is, none is called the best; one "
     "whose adversary was not measured never is."),
    ("Worst attack", "The attack that leaves the smallest margin, in bits, among those whose effect is demonstrated. It is ranked by the "
     "upper limit of the margin, so that nothing is called worst on a guess. Attacks whose limits overlap its own are ties."),
    ("Limits for all at once", "The worst of many noisy numbers looks worse than it is. Where K numbers are compared, each 95% "
     "interval is widened so that all K hold together with 95% (Bonferroni): around the point, or around the middle of the bracket of a "
     "withheld number, by the ratio of the quantiles at 1 - .025/K and .975, of Student's t with one degree of freedom less than there "
     "are units or, where each trial is its own unit, of the normal law."),
    ("Without an attack", "An attack's success counts only against the same count when nobody attacks: a target that says the wanted word "
     "by itself in six trials of ten gives the attacker six of ten for nothing. Where no such count was made, that is said."),
    ("No service to attack", f"The target cannot do the task even without an attack: its clean utility is not demonstrably above "
     f"{COMPETENT_SHARE:.0%} of what was sent, or its share of right answers not above chance. Nothing can be taken from it, which is no "
     "robustness, so such channels enter no ranking, and a rule that holds there counts as not measured."),
    ("Units and design effect", "Trials that share a society, a trained victim, a document or a conversation are not independent. "
     "They form one unit; intervals are over units. The design effect says how many times fewer independent trials they are worth."),
    ("Claimed and measured", "Claimed is what the paper reports, on its own models and data. Measured is what this run saw. They stand "
     "beside each other and are never mixed: a different model is a different channel."),
)  # fmt: skip


def title(number: Number) -> str:
    """The short name of a quantity; a rate keeps the name that the run gave it."""
    return QUANTITIES[number.name][0] if number.name in QUANTITIES else number.name


def heading(number: Number) -> str:
    """The name of a quantity as it starts a note."""
    name = title(number)
    return name[:1].upper() + name[1:] if number.name in QUANTITIES else name


def meaning(number: Number) -> str:
    """What the quantity is, as the second half of a sentence; empty when the name is not ours."""
    if number.name in QUANTITIES:
        return QUANTITIES[number.name][1]
    if number.unit == SHARE:
        known = next((text for name, text in RATES.items() if number.name.casefold() == name), "")
        side = {"attacker": ". More is better for the attacker", "user": ". More is better for the user"}.get(number.better, "")
        return (
            known + side
            if known
            else {
                "attacker": "a share of trials. More is better for the attacker",
                "user": "a share of trials. More is better for the user",
            }.get(number.better, "a share of trials")
        )
    return "a figure of the run, in its own unit" if number.unit == PLAIN else ""


def statement(number: Number) -> str:
    """The number in a sentence of its own: what is stated, with which confidence, on how many trials."""
    if number.unbounded:
        return "There is no limit to state, and none is hidden behind this."
    unit = " bits" if number.unit == "bits" else ""
    trials = f" It rests on {number.n:,} trials." if number.n else ""
    if number.clusters is not None:
        trials = f" It rests on {number.trials.replace(' in ', ' trials in ', 1)}; the interval is over the units."
    if number.attack:
        trials += f" {number.beside[:1].upper()}{number.beside[1:]}."
    if number.nil:
        return f"It is 0, at most {figure(number.high or 0.0, number.unit)}{unit}, by an equivalence test.{trials}"
    if not number.measured:
        return "Not measured. This is not the same as zero."
    if number.bound:
        return f"It is a limit: {number.interval}{unit}. What was measured stands beside it.{trials}"
    if number.value is None:
        return f"The point is withheld; what can be said: {number.interval}{unit}.{trials}"
    if number.exact:
        return f"It is {figure(number.low or 0.0, number.unit)}{unit}, counted exactly.{trials}"
    if number.name == "bandwidth_bits" and number.interval:
        mean = figure(number.value, number.unit)
        return f"The mean over the tasks is {mean}{unit}; from the least to the most it is {number.interval}.{trials}"
    span = f", with an interval of {number.interval}{unit}" if number.interval else ", without an interval"
    doubt = "" if number.trusted else " The point did not pass the rules of trust."
    if number.flat:
        doubt += " Its limits fell together with it, at the most that there is or in a sample without spread, which is no certainty."
    if number.spectrum:
        doubt += f" Behind it: {number.spectrum}."
    return f"The point is {figure(number.value, number.unit)}{unit}{span}.{trials}{doubt}"
