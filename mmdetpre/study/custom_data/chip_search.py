"""``study init --search``: the proposed chips beside others near them, each tried by a short training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmdetpre.chips.nearby import PROPOSED, nearby_settings
from mmdetpre.chips.settings import ChipSettings
from mmdetpre.study.custom_data.boxes import OwnBoxes
from mmdetpre.study.custom_data.chip_trials import (
    LARGEST_TIE,
    Trial,
    cheapest_of_the_best,
    short_training,
    standard_error,
    try_chips,
)
from mmdetpre.study.custom_data.detection_data import split_off
from mmdetpre.study.custom_data.inits import OwnInit
from mmdetpre.study.custom_data.models import ModelChoice
from mmdetpre.study.custom_data.recipe import box_columns
from mmdetpre.utils.tables import text_table

_HELD_OUT = 0.25
_SHOWN = 6


class ChipSearch(NamedTuple):
    """What was tried, and which of it is taken.

    Attributes:
        chips: The settings that are taken.
        text: The table, and how it is to be read.
    """

    chips: ChipSettings
    text: str


def search_chips(
    folder: Path, train: OwnBoxes, choice: ModelChoice, count: int, init: OwnInit | None = None, seed: int = 0
) -> ChipSearch:
    """Try settings near the proposed ones on training images alone, a quarter of which is held out for their scores.

    Args:
        folder: Folder of the trials; what was tried there is not tried again.
        train: The training part.
        choice: The model.
        count: The most settings to try.
        init: Weights that all begin with; None: from scratch.
        seed: Seed of the split.

    Raises:
        ValueError: If there are too few images, or every training failed.
    """
    sizes, offsets, corners, labels, ignore = box_columns(train)
    settings = nearby_settings(
        sizes, offsets, corners, labels=labels, ignore=ignore, chip_size=choice.chip_size, count=count
    )
    advice = "--search needs images to hold out: leave it out, or add images."
    parts = split_off(train, seed, _HELD_OUT, advice=advice)
    trials = try_chips(folder, settings, *parts, short_training(choice), init)
    taken = cheapest_of_the_best(trials)
    return ChipSearch(taken.recipe.chips, describe_search(trials, taken, parts, len(settings) - len(trials)))


def describe_search(trials: Sequence[Trial], taken: Trial, parts: tuple[OwnBoxes, OwnBoxes], failed: int) -> str:
    """The table of a search: what each of the settings costs and scores, the best first.

    Args:
        trials: What was tried.
        taken: The one that is taken.
        parts: Images to train on, and held out.
        failed: How many trainings failed.
    """
    best = max(trials, key=lambda trial: trial.ap50)
    names = [size.name for size in sorted(best.recipe.class_sizes, key=lambda size: size.network_pixels)][:_SHOWN]
    rows = [
        [
            f"{trial.name}{' *' if trial is taken else ''}",
            trial.recipe.chips.chip_size,
            ", ".join(str(side) for _, side in trial.recipe.chips.scales),
            f"{trial.cost:.1f}",
            trial.recipe.steps,
            f"{trial.ap50:.1f}",
            "" if trial is best else f"{trial.ap50 - best.ap50:.1f} ± {standard_error(best, trial):.1f}",
            *(f"{trial.class_ap50[name]:.1f}" if name in trial.class_ap50 else "-" for name in names),
        ]
        for trial in sorted(trials, key=lambda trial: -trial.ap50)
    ]
    head = ["settings", "chip", "longer image side", "cost", "steps", "AP50", "to the best", *names]
    lines = [
        f"Search of chips: {len(trials)} short trainings on {len(parts[0].files)} training images, scored on the other"
        f" {len(parts[1].files)}; no test image was seen.",
        text_table(head, rows, left=(0, 2)),
        f"* is taken: the cheapest of those within one standard error of the best, and {LARGEST_TIE:.0f} points."
        " Cost: pixels of an image in training, relative to one chip of it. ± is over the choice of images; chance in"
        " the training comes on top.",
    ]
    if failed:
        lines.append(f"Warning: {failed} of the trainings failed, see the logs of the search.")
    if taken.name != PROPOSED and any(trial.name == PROPOSED for trial in trials):
        lines.append(f"The chips of the study are those of {taken.name}, not the proposed ones.")
    return "\n".join(lines)
