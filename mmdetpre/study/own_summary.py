"""What ``study init`` found in a user's data, as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from mmdetpre.evaluation.text_table import text_table
from mmdetpre.study.own_boxes import OwnBoxes
from mmdetpre.study.own_classes import OwnClasses
from mmdetpre.study.own_recipe import DetectionRecipe
from mmdetpre.study.own_split import same_files
from mmdetpre.study.own_starts import OwnStart

_SHOWN = 20


def describe_boxes(title: str, train: OwnBoxes, test: OwnBoxes, recipe: DetectionRecipe, *, split: bool) -> str:
    parts = {"to train on": train, "to test on": test}
    counts = {
        head: Counter(a["category_id"] for a in part.annotations if not a["iscrowd"]) for head, part in parts.items()
    }
    rows = [[name, *(str(counts[head][label]) for head in parts)] for label, name in enumerate(train.classes, start=1)]
    more = len(rows) - _SHOWN
    table = text_table(
        ["boxes of", *parts], rows[:_SHOWN], ["all", *(str(sum(counts[head].values())) for head in parts)]
    )
    lines = [
        f"Detection, {title}: {len(train.images)} images to train on and {len(test.images)} to test on,"
        f" {len(train.classes)} {'class' if len(train.classes) == 1 else 'classes'}.",
        table + (f"\n({more} more classes)" if more > 0 else ""),
    ]
    corners = np.array([a["bbox"] for a in (*train.annotations, *test.annotations)], float)
    lines.append(
        f"Median size of a box: {np.median(np.sqrt(corners[:, 2] * corners[:, 3])):.0f} pixels (root of its area)."
    )
    for head, part in parts.items():
        if missing := [name for name, _, *_ in rows if not counts[head][train.classes.index(name) + 1]]:
            lines.append(f"No box {head} of: {', '.join(missing)}. The mean of the test leaves such classes out.")
        without = len(part.images) - len({a["image_id"] for a in part.annotations})
        if without:
            lines.append(f"{without} images {head} show no box.")
        if crowds := sum(a["iscrowd"] for a in part.annotations):
            lines.append(f"{crowds} boxes {head} are crowds or difficult: neither learned nor counted.")
    if split:
        copies = [group for group in same_files([*train.paths(), *test.paths()]) if len(group) > 1]
        if copies:
            names = [path.name for path in (*train.paths(), *test.paths())]
            example = " = ".join(names[i] for i in copies[0])
            photos = "1 photo is" if len(copies) == 1 else f"{len(copies)} photos are"
            lines.append(f"{photos} there more than once ({example}): all copies are in the same part.")
    left_out = Counter(train.left_out) + (Counter(test.left_out) if not split else Counter())
    lines.append(_left_out(left_out))
    chips = recipe.chips
    lines.append(
        f"Chips of {chips.chip_size} pixels, longer image side {', '.join(str(side) for _, side in chips.scales)}:"
        f" {recipe.coverage.chips} an epoch. {recipe.epochs} epochs, {recipe.steps} steps."
    )
    if recipe.coverage.valid_nowhere:
        lines.append(f"{recipe.coverage.valid_nowhere} boxes are learned at no scale.")
    return "\n".join([*lines, *(f"Warning: {text}" for text in recipe.coverage.warnings)])


def describe_classes(title: str, classes: OwnClasses, epochs: int) -> str:
    sizes = sorted(classes.counts.values())
    return "\n".join(
        [
            f"Classification, {title}: {len(classes.counts)} classes of {_range(sizes)} images;"
            f" {len(classes.train)} to train on, {classes.per_class} of each class, and {len(classes.test)} to test on.",
            _left_out(classes.left_out),
            f"{epochs} epochs.",
        ]
    )


def describe_starts(starts: Sequence[OwnStart]) -> str:
    lines = ["  scratch: without weights", *(f"  {start.key}: {start.found} ({start.checkpoint})" for start in starts)]
    return "\n".join(["Starts:", *lines])


def _range(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"


def _left_out(counts: Mapping[str, int]) -> str:
    return f"Left out: {'; '.join(f'{count} {what}' for what, count in counts.items()) or 'nothing'}."
