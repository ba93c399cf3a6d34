# ruff: noqa: E501 - rows of figures read better unbroken
"""A made-up run folder for the report's tests: six threats, four defenses, every status, media drawn from noise.

The numbers are invented and stay in the tests. `python made_run.py FOLDER` writes one to look at.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from hartley.runs.context import Context
from hartley.runs.plan import Cell, Plan
from hartley.runs.store import sealed

DEFENSES = ("bit-reduction", "jpeg", "alignment-filter", "embedding-noise")
CONTEXT = Context(
    target=hashlib.sha256(b"target").hexdigest(), data=hashlib.sha256(b"data").hexdigest(), effort={"trials": 400}, code={"": "c" * 64},
    versions={"hartley": "0.1.0", "numpy": "2.3.1", "torch": "2.13.0", "transformers": "5.23.0"},
    target_name="reference:encoder", data_name="reference", system="s" * 64,
)  # fmt: skip
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def bits(kind: str, value: float | None, low: float | None, high: float | None, n: int = 400, why: str = "") -> dict[str, Any]:
    return {
        "kind": kind, "value": value, "low": low, "high": high, "n": n, "estimator": "jackknife, cross-fitted bracket",
        "trusted": value is not None and not why, "why": why, "checks": {"permutation_p": 0.001},
    }  # fmt: skip


def around(kind: str, value: float, half: float = 0.07, n: int = 400) -> dict[str, Any]:
    low = value - half if kind in ("margin_bits", "deployed_bits") else max(0.0, value - half)
    return bits(kind, round(value, 3), round(low, 3), round(value + half, 3), n)


class Maker:
    """Writes one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.random = np.random.default_rng(7)
        for name in ("cells", "timing", "evidence", "media"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def plan(self, plan: Plan) -> None:
        """Writes the plan and the circumstances, without which no cell is the run's own."""
        (self.folder / "plan.toml").write_text(plan.to_toml())
        environment = {**CONTEXT.environment(), "python": "3.11.9", "platform": "Linux x86_64", "cores": 2}
        (self.folder / "environment.json").write_text(json.dumps(environment))

    def keep(self, content: bytes, ending: str) -> str:
        name = f"media/{hashlib.sha256(content).hexdigest()[:24]}.{ending}"
        (self.folder / name).write_bytes(content)
        return name

    def picture(self, side: int = 32) -> np.ndarray:
        y, x = np.mgrid[0:side, 0:side] / side
        color = self.random.uniform(60, 230, size=3)
        center = self.random.uniform(0.3, 0.7, size=2)
        disk = (np.hypot(y - center[0], x - center[1]) < 0.24)[..., None]
        ground = self.random.integers(20, 60, size=(side, side, 3))
        return np.where(disk, color, ground).astype(np.uint8)

    def image(self) -> dict[str, Any]:
        clean = self.picture()
        noise = self.random.integers(-8, 9, size=clean.shape)
        attacked = np.clip(clean.astype(int) + noise, 0, 255).astype(np.uint8)
        shown = np.clip(128 + noise * 8, 0, 255).astype(np.uint8)
        files = {}
        for name, pixels in (("clean", clean), ("attacked", attacked), ("difference", shown)):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            files[name] = self.keep(buffer.getvalue(), "png")
        return {**files, "amplified": 8.0}

    def audio(self, rate: int = 16_000, seconds: float = 1.2) -> dict[str, Any]:
        time = np.arange(int(rate * seconds)) / rate
        pitch = 120 + 30 * np.sin(2 * np.pi * 1.3 * time)
        voice = sum(np.sin(2 * np.pi * np.cumsum(pitch * k) / rate) / k for k in range(1, 12))
        clean = 0.15 * voice * (0.5 + 0.5 * np.sin(2 * np.pi * 2.2 * time)) ** 2
        noise = np.convolve(self.random.normal(size=time.size), np.ones(4) / 4, "same") * 0.006
        files = {}
        for name, samples in (("clean", clean), ("attacked", clean + noise)):
            buffer = io.BytesIO()
            soundfile.write(buffer, samples.astype(np.float32), rate, format="WAV", subtype="PCM_16")
            files[name] = self.keep(buffer.getvalue(), "wav")
        return {**files, "sample_rate": rate}

    def evidence(self, key: str, channel: str) -> str:
        name = f"evidence/{key}.{channel}.npz"
        header = json.dumps({"schema": 1, "channel": channel, "kind": "write", "intent_alphabet": DIGITS}).encode()
        np.savez_compressed(self.folder / name, header=np.frombuffer(header, np.uint8), intent_prior=np.full(10, 0.1))
        return name

    def cell(self, threat: str, defense: str, *, status: str = "measured", why: str = "", **parts: Any) -> None:
        cell = Cell("reference:encoder", threat, defense, 0, "quick")
        what, key = cell.to_json(), cell.key(CONTEXT)
        record: dict[str, Any] = {
            "schema": 1,
            "key": key,
            "cell": what,
            "status": status,
            "why": why,
            "channels": [],
            "flags": [],
            "curves": [],
            "exhibits": [],
        }
        record |= parts
        for channel in record["channels"]:
            channel["evidence"] = self.evidence(key, channel["name"])
        (self.folder / "cells" / f"{key}.json").write_text(json.dumps(record, sort_keys=True, indent=1))
        timing = {"seconds": round(float(self.random.uniform(2, 14)), 2), "attempts": 1, "worker": 0, "started": "2026-01-01T12:00:00Z"}
        (self.folder / "timing" / f"{key}.json").write_text(json.dumps(sealed(timing)))


def bare(name: str, kind: str, metric: str, clean: float, attacked: float, adversary: float, rate: float) -> dict[str, Any]:
    """A channel without a defense."""
    share = {"estimator": "Clopper-Pearson 95%", "n": 400}
    return {
        "name": name, "kind": kind,
        "rates": [
            {"name": metric, "arm": "attacked", "value": rate, "low": max(0, rate - 0.03), "high": min(1, rate + 0.02), "headline": True, "better": "attacker", **share},
            {"name": metric, "arm": "clean", "value": 0.01, "low": 0.003, "high": 0.025, "headline": True, "better": "attacker", **share},
            {"name": "zero-shot accuracy", "arm": "clean", "value": 0.972, "low": 0.951, "high": 0.986, "headline": False, "better": "user", **share},
            {"name": "zero-shot accuracy", "arm": "attacked", "value": 0.02, "low": 0.009, "high": 0.039, "headline": False, "better": "user", **share},
        ],
        "measures": [
            {"arm": "clean", "bits": around("utility_bits", clean)},
            {"arm": "attacked", "bits": around("utility_bits", attacked)},
            {"arm": "attacked", "bits": around("adversary_bits", adversary)},
            {"arm": "attacked", "bits": around("margin_bits", attacked - adversary, 0.12)},
            {"arm": "clean", "bits": around("deployed_bits", clean - 0.2)},
            {"arm": "attacked", "bits": around("deployed_bits", -5.6, 0.4)},
            {"arm": "attacked", "bits": around("capacity_bits", adversary + 0.1)},
            {"arm": "attacked", "bits": around("signal_loss_bits", 2.1)},
            {"arm": "attacked", "bits": around("noise_gain_bits", 0.3)},
            {"arm": "clean", "bits": {**bits("sent_bits", 3.3219, 3.3219, 3.3219), "estimator": "law of the intents"}},
        ],
        "costs": [
            {"name": "linf_pixel", "arm": "attacked", "mean": 0.0311, "max": 0.0314, "n": 400},
            {"name": "forward_passes", "arm": "attacked", "mean": 40.0, "max": 40.0, "n": 400},
        ],
    }  # fmt: skip


def defended(
    name: str, kind: str, metric: str, alone: float, blind: tuple[float, float], through: tuple[float, float] | None, rate: float
) -> dict[str, Any]:
    """A channel under a defense: utility and adversary bits against an attack that does not know it, and one made through it."""
    measures = [{"arm": "defended", "bits": around("utility_bits", alone)}]
    arms = {"defended_attacked": blind} | ({} if through is None else {"defended_adaptive": through})
    rates = []
    for arm, (utility, adversary) in arms.items():
        measures += [
            {"arm": arm, "bits": around("utility_bits", utility)},
            {"arm": arm, "bits": around("adversary_bits", adversary)},
            {"arm": arm, "bits": around("margin_bits", utility - adversary, 0.12)},
        ]
        rates.append({"name": metric, "arm": arm, "value": rate, "low": max(0, rate - 0.04), "high": rate + 0.04, "n": 400,
                      "estimator": "Clopper-Pearson 95%", "headline": True, "better": "attacker"})  # fmt: skip
    return {"name": name, "kind": kind, "rates": rates, "measures": measures, "costs": []}


def loss(start: float, end: float, steps: int = 20) -> list[float]:
    return [round(end + (start - end) * float(np.exp(-step / 5)), 4) for step in range(steps + 1)]


def curve(channel: str, arm: str = "attacked", start: float = 0.4, end: float = -0.7) -> dict[str, Any]:
    return {"channel": channel, "arm": arm, "name": "loss", "values": loss(start, end)}


def exhibit(channel: str, intent: str, adversary: str | None, after: str, **media: Any) -> dict[str, Any]:
    blank = {"image": None, "audio": None, "text": None}
    return (
        {
            "channel": channel,
            "arm": "attacked",
            "intent": intent,
            "adversary": adversary,
            "outcome_clean": intent,
            "outcome_attacked": after,
        }
        | blank
        | media
    )


def write(folder: Path) -> Path:
    """The whole run; gives its path."""
    maker = Maker(folder)
    threats = ("adversarial-illusions", "co-attack", "sga", "crossfire", "badclip", "ko-vlm-mia")
    maker.plan(Plan(threats, target="reference:encoder", defenses=DEFENSES))
    _illusions(maker)
    _pair_attacks(maker)
    _learning(maker)
    _membership(maker)
    return folder


def _illusions(maker: Maker) -> None:
    threat, metric = "adversarial-illusions", "targeted top-1"
    pictures = [exhibit("image", DIGITS[k], DIGITS[k - 5], DIGITS[k - 5], image=maker.image()) for k in (7, 3, 9)]
    sounds = [exhibit("audio", f"a red {DIGITS[k]} at the top left", "a blue two", "a blue two", audio=maker.audio()) for k in (4, 6)]
    maker.cell(threat, "none", channels=[bare("image", "write", metric, 3.19, 0.11, 2.94, 0.97), bare("audio", "write", metric, 2.84, 0.52, 1.88, 0.81)],
               exhibits=pictures + sounds, curves=[curve("image"), curve("audio")])  # fmt: skip
    maker.cell(
        threat,
        "bit-reduction",
        channels=[defended("image", "write", metric, 3.02, (1.4, 0.9), (0.16, 2.81), 0.41)],
        curves=[curve("image", "defended_adaptive")],
    )
    maker.cell(threat, "jpeg", channels=[defended("image", "write", metric, 3.05, (2.31, 0.2), (0.93, 1.32), 0.12)],
               flags=[{"channel": "image", "arm": "defended_adaptive", "name": "loss does not fall", "why": "the loss after 20 steps is above the loss at the start on 31 of 400 trials"}])  # fmt: skip
    noisy = defended("image", "write", metric, 2.61, (0.7, 1.6), (0.41, 1.9), 0.6)
    noisy["measures"][1]["bits"] = bits("utility_bits", None, 0.31, 1.12, why="halves of the sample differ by 0.31 bits")
    maker.cell(threat, "embedding-noise", channels=[noisy])


def _pair_attacks(maker: Maker) -> None:
    text = {"clean": "a photo of a red seven at the top left", "attacked": "a photo of a green seven at the top left"}
    first = bare("image and text", "jam", "attack success at R@1", 3.17, 0.74, 0.05, 0.88)
    first["measures"][2]["bits"] = bits("adversary_bits", None, 0.0, 0.09, why="no dependence detected (permutation p = 0.41)")
    first["measures"][3]["bits"] = bits("margin_bits", None, 0.58, 0.81, why="adversary bits are withheld")
    maker.cell("co-attack", "none", channels=[first], exhibits=[exhibit("image and text", "seven", None, "three", image=maker.image(), text=text)],
               curves=[curve("image and text", start=0.1, end=-1.4)])  # fmt: skip
    maker.cell(
        "co-attack",
        "bit-reduction",
        channels=[defended("image and text", "jam", "attack success at R@1", 3.01, (1.9, 0.02), (0.9, 0.03), 0.52)],
    )
    maker.cell(
        "co-attack", "jpeg", channels=[defended("image and text", "jam", "attack success at R@1", 3.04, (2.4, 0.02), (1.61, 0.03), 0.31)]
    )
    maker.cell("co-attack", "embedding-noise", status="timed-out", why="The cell ran past its limit of 60 s, twice.")
    second = bare("image and text", "jam", "attack success at R@1", 3.18, 1.02, 0.03, 0.79)
    maker.cell(
        "sga",
        "none",
        channels=[second],
        curves=[curve("image and text")],
        exhibits=[exhibit("image and text", "two", None, "eight", image=maker.image(), text=text)],
    )
    maker.cell("sga", "jpeg", channels=[defended("image and text", "jam", "attack success at R@1", 3.04, (2.6, 0.02), None, 0.22)])
    maker.cell("sga", "bit-reduction", status="failed", why="RuntimeError: the worker was killed by signal 9, three times.")
    maker.cell("crossfire", "none", status="failed", why="The worker was killed by signal 9, three times.")


def _learning(maker: Maker) -> None:
    main = bare("image", "write", "attack success rate with the trigger", 3.21, 0.24, 0.91, 0.94)
    main["measures"][1]["bits"] = bits("utility_bits", None, 0.11, 0.58, why="the lower statement lies above the point")
    main["measures"][3]["bits"] = bits("margin_bits", None, -0.92, -0.21, why="utility is withheld")
    main["costs"] = [{"name": "poisoned_fraction", "arm": "attacked", "mean": 0.01, "max": 0.01, "n": 1}]
    maker.cell(
        "badclip",
        "none",
        channels=[main],
        exhibits=[exhibit("image", "four", "zero", "zero", image=maker.image())],
        curves=[curve("image", start=3.2, end=0.4)],
    )
    maker.cell(
        "badclip",
        "alignment-filter",
        channels=[defended("image", "write", "attack success rate with the trigger", 3.18, (3.08, 0.04), None, 0.03)],
    )
    for name in ("bit-reduction", "jpeg", "embedding-noise"):
        maker.cell(
            "badclip",
            name,
            channels=[defended("image", "write", "attack success rate with the trigger", 3.0, (0.3, 0.88), (0.3, 0.9), 0.92)],
        )


def _membership(maker: Maker) -> None:
    channels = []
    for name, low, high, auc in (
        ("similarity", 0.0, 0.031, 0.541),
        ("augmentation", 0.012, 0.094, 0.602),
        ("weakly supervised", 0.02, 0.11, 0.633),
    ):
        rates = [
            {
                "name": "AUC",
                "arm": "attacked",
                "value": auc,
                "low": auc - 0.05,
                "high": auc + 0.05,
                "n": 500,
                "estimator": "DeLong 95%",
                "headline": True,
                "better": "attacker",
            },
            {
                "name": "TPR at 1% FPR",
                "arm": "attacked",
                "value": 0.024,
                "low": 0.009,
                "high": 0.052,
                "n": 250,
                "estimator": "Clopper-Pearson 95%",
                "headline": False,
                "better": "attacker",
            },
        ]
        why = "membership bits are stated as a bracket only"
        channels.append({"name": name, "kind": "read", "rates": rates, "costs": [],
                         "measures": [{"arm": "attacked", "bits": bits("adversary_bits", None, low, high, 500, why)}]})  # fmt: skip
    maker.cell("ko-vlm-mia", "none", channels=channels)
    quieter = {"name": "weakly supervised", "kind": "read", "rates": [], "costs": [], "measures": [
        {"arm": "defended_attacked", "bits": bits("adversary_bits", None, 0.0, 0.04, 500, "membership bits are stated as a bracket only")},
        {"arm": "defended", "bits": around("utility_bits", 2.6)}]}  # fmt: skip
    maker.cell("ko-vlm-mia", "embedding-noise", channels=[quieter])


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
