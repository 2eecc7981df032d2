"""Epochs and seeds that fit a time: first the epochs, down to the fewest that make sense, then the seeds, down to two.

Initializations are never left out: they are the user's question, and the message says what one of them takes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmdetpre.console.progress_line import duration

RESERVE = 0.15
"""Part of a budget that stays free: what a few steps tell is right to about so much."""
FEWEST_SEEDS = 2
"""With one, a difference has no interval over seeds."""
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_STEPS = 60  # of the search for epochs


@dataclass(frozen=True)
class Trained:
    """Runs of one config.

    Attributes:
        name: Of the config.
        epochs: Of each, as proposed.
        bounds: The fewest and the most.
        epoch: Seconds of an epoch.
        fixed: Seconds of a run without its epochs.
        runs: Their number, with one seed.
        seeded: Whether each seed has so many.
    """

    name: str
    epochs: int
    bounds: tuple[int, int]
    epoch: float
    fixed: float
    runs: int
    seeded: bool = True

    def scaled(self, factor: float) -> int:
        """So many times the proposed epochs, within the bounds."""
        least, most = self.bounds
        return min(max(round(factor * self.epochs), least), most)


@dataclass(frozen=True)
class Fit:
    """What fits.

    Attributes:
        epochs: Name of a config -> epochs.
        seeds: Number of seeds.
        seconds: What the study takes then.
    """

    epochs: Mapping[str, int]
    seeds: int
    seconds: float


def read_duration(text: str) -> float:
    """Seconds of a time such as ``90s``, ``45m``, ``1.5h`` or ``1h 30m``.

    Raises:
        ValueError: If it is none.

    Example:
        >>> read_duration("1h 30m"), read_duration("45 min")
        (5400.0, 2700.0)
    """
    number = rf"(\d{{1,9}}(?:\.\d{{1,9}})?)\s*({'|'.join(sorted(_UNITS, key=len, reverse=True))})"
    if not re.fullmatch(rf"\s*(?:{number}\s*)+", text):
        raise ValueError(f"--budget is {text!r}: give a time such as 45m, 1.5h or '1h 30m'.")
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in re.findall(number, text))
    if seconds <= 0:
        raise ValueError(f"--budget is {text!r}: give more than nothing.")
    return seconds


def study_seconds(
    trained: Sequence[Trained], epochs: Mapping[str, int], seeds: int, other: float, parallel: int
) -> float:
    """Seconds of a study.

    Args:
        trained: What is trained.
        epochs: Of each.
        seeds: Number of seeds.
        other: Seconds of runs that no setting changes.
        parallel: Runs that are made at the same time.

    Example:
        >>> study_seconds([Trained("own_det", 10, (2, 40), 3.0, 5.0, 2)], {"own_det": 10}, 3, 0, 2)
        105.0
    """
    work = sum(one.runs * (seeds if one.seeded else 1) * (one.fixed + epochs[one.name] * one.epoch) for one in trained)
    return (work + other) / max(parallel, 1)


def fit(budget: float, trained: Sequence[Trained], seeds: int, other: float, parallel: int, inits: int) -> Fit:
    """The most epochs, and then seeds, that fit a time.

    Epochs of all configs change by one factor, within the bounds of each; only where the fewest are too many, there are
    fewer seeds.

    Args:
        budget: Seconds.
        trained: What is trained.
        seeds: The most seeds.
        other: Seconds of runs that no setting changes.
        parallel: Runs that are made at the same time.
        inits: Number of initializations, for the message.

    Raises:
        ValueError: If nothing fits; says what the least takes, and what to change.

    Example:
        >>> one = Trained("own_det", 10, (2, 40), 3.0, 5.0, 2)
        >>> fit(60, [one], 3, 0, 2, 2)
        Fit(epochs={'own_det': 4}, seeds=3, seconds=51.0)
    """
    most = (1 - RESERVE) * budget

    def at(factor: float, seeds: int) -> Fit:
        epochs = {one.name: one.scaled(factor) for one in trained}
        return Fit(epochs, seeds, study_seconds(trained, epochs, seeds, other, parallel))

    fewest = min(seeds, FEWEST_SEEDS)
    for number in range(seeds, fewest - 1, -1):
        if at(0, number).seconds > most:
            continue
        low, high = 0.0, max((one.bounds[1] / one.epochs for one in trained), default=0.0) + 1
        if at(high, number).seconds <= most:
            return at(high, number)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if at(middle, number).seconds <= most else (low, middle)
        return at(low, number)
    least = at(0, fewest)
    wanted = -(-least.seconds / (1 - RESERVE) // 60)
    each = f"initializations (about {duration(least.seconds / max(inits, 1))} each) or " if inits > 1 else ""
    told = ", ".join(f"{name} {epochs}" for name, epochs in least.epochs.items())
    raise ValueError(
        f"--budget is {duration(budget)}, and the least takes about {duration(least.seconds)}: epochs {told}, seeds"
        f" {fewest}, initializations {inits}. Give --budget {wanted:.0f}m, or leave out"
        f" {each}data."
    )


def change_text(trained: Sequence[Trained], seeds: int, found: Fit) -> str:
    """What a fit changed, in words; that nothing did, else.

    Args:
        trained: The runs as proposed.
        seeds: Number of seeds as asked for.
        found: The fit.
    """
    changes = [
        f"{one.name} {found.epochs[one.name]} epochs instead of {one.epochs}"
        for one in trained
        if found.epochs[one.name] != one.epochs
    ]
    changes += [f"{found.seeds} seeds instead of {seeds}"] if found.seeds != seeds else []
    return ", ".join(changes) or "epochs and seeds as they are"
