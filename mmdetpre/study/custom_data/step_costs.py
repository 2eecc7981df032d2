"""What a training step of each model of ``study init`` costs: ``step_costs.csv``, as ``benchmarks/study_models.py``
measured it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("step_costs.csv")
COLUMNS = ("model", "task", "items", "side", "CPU seconds", "GiB")


@dataclass(frozen=True)
class StepCost:
    """A step of training on processors alone.

    Attributes:
        items: Chips or images of the step.
        side: Of each, in pixels.
        seconds: Processor time on one thread.
        gibibytes: Most memory that the step holds: weights, gradients, state of the optimizer, maps.
    """

    items: int
    side: int
    seconds: float
    gibibytes: float


def step_costs(table: Path = TABLE) -> Mapping[tuple[str, str], StepCost]:
    """Costs by model and task, ``detection`` or ``classification``.

    Args:
        table: CSV with `COLUMNS`.

    Raises:
        ValueError: If it has other columns, or a value is not a number.

    Example:
        >>> step_costs()["sample", "detection"].side
        128
    """
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        if tuple(next(reader, ())) != COLUMNS:
            raise ValueError(f"{table} has not the columns {', '.join(COLUMNS)}.")
        return {
            (model, task): StepCost(int(items), int(side), float(seconds), float(memory))
            for model, task, items, side, seconds, memory in reader
        }
