"""What ``study init`` found in a user's data, as human-readable text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from mmdetpre.backbones.table import named_backbone
from mmdetpre.chips.class_sizes import class_size_table
from mmdetpre.study.custom_data.boxes import OwnBoxes
from mmdetpre.study.custom_data.classes import OwnClasses
from mmdetpre.study.custom_data.gate import listed
from mmdetpre.study.custom_data.inits import OwnInit
from mmdetpre.study.custom_data.models import MODELS, ModelChoice
from mmdetpre.study.custom_data.recipe import DetectionRecipe
from mmdetpre.study.custom_data.segmentation.config import bordered
from mmdetpre.study.custom_data.segmentation.own_maps import VOID, OwnMaps
from mmdetpre.study.custom_data.split import same_files
from mmdetpre.study.custom_data.study_yaml import OwnPretraining, OwnTask
from mmdetpre.transfer.preprocessing import TOLERANCE
from mmdetpre.utils.tables import text_table
from mmdetpre.zoo import ZooEntry, zoo_entry, zoo_names
from mmdetpre.zoo.entry import MEAN, STD

_SHOWN = 20
_ITEMS = {"detection": "chips", "classification": "images", "segmentation": "crops"}
"""What a training step takes."""
_REGISTERS = "-registers"
"""How names of weights end that no model here can take: its backbone has no registers."""


def describe_boxes(title: str, train: OwnBoxes, test: OwnBoxes, recipe: DetectionRecipe) -> str:
    """Format, images, boxes by class, their size, what was left out and why, chips and epochs.

    Args:
        title: What the data are called.
        train, test: The two parts.
        recipe: What the config takes from the first.
    """
    names = [*train.files, *test.files]
    sides = np.concatenate([train.boxes, test.boxes])["box"][:, 2:]
    split = train.source == test.source and train.part == test.part
    left_out = Counter(train.left_out) + (Counter() if split else Counter(test.left_out))
    copies = [[names[i] for i in group] for group in same_files([*train.paths(), *test.paths()]) if len(group) > 1]
    lines = [
        f"Detection, {title}: {len(train.files)} training and {len(test.files)} test images,"
        f" {_count(len(train.classes), 'class', 'classes')}.",
        *(_recognized(part) for part in ([train] if split else [train, test])),
        _boxes_by_class(train, test),
        f"Median size of a box: {np.median(np.sqrt(sides.prod(axis=1))):.0f} pixels (root of its area).",
        *_notes("training", train),
        *_notes("test", test),
        *(f"Note: {text}." for text in dict.fromkeys([*train.remarks, *test.remarks])),
    ]
    if copies:
        photos = _count(len(copies), "photo is", "photos are")
        example = " = ".join(copies[0])
        lines.append(f"{photos} there more than once ({example}): all copies are in the same part.")
    return "\n".join([*lines, _left_out(left_out), describe_chips(recipe)])


def describe_chips(recipe: DetectionRecipe) -> str:
    """Scales and their cost, sizes of each class in pixels of the network, coverage, epochs, and warnings.

    Args:
        recipe: Of the training part.
    """
    chips, coverage = recipe.chips, recipe.coverage
    sides = [side for _, side in chips.scales]
    lines = [
        f"Chips of {chips.chip_size} pixels, longer image side {', '.join(map(str, sides))}: {coverage.chips} an epoch."
        f" {_count(recipe.epochs, 'epoch', 'epochs')}, {recipe.steps} steps.",
        f"Cost: {coverage.chips_per_image:.1f} chips of an image, {coverage.chips_per_image * chips.chip_size**2:,.0f}"
        f" pixels, {coverage.chips_per_image:.1f} times one scale of {sides[-1]}; in the test"
        f" {recipe.test_cost:.1f} times.",
        class_size_table(recipe.class_sizes),
        "(Median sizes: in the images, and as the network sees them at the finest scale that learns a box.)",
    ]
    if coverage.valid_nowhere:
        lines.append(f"{_count(coverage.valid_nowhere, 'box is', 'boxes are')} learned at no scale.")
    warnings = [*coverage.warnings, *(size.warning for size in recipe.class_sizes if size.warning)]
    return "\n".join([*lines, *(f"Warning: {text}" for text in warnings)])


def describe_classes(title: str, classes: OwnClasses, epochs: int) -> str:
    """Classes, images of each part, what was left out and why, epochs.

    Args:
        title: Title of the paragraph.
        classes: Class names and images.
        epochs: Number of epochs.
    """
    sizes = sorted(classes.counts.values())
    images = str(sizes[0]) if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    deeper = (
        f"{_count(len(classes.nested), 'image lies', 'images lie')} in folders inside of the class folders and"
        f" {'is' if len(classes.nested) == 1 else 'are'} used, such as {classes.nested[0]}.\n"
        if classes.nested
        else ""
    )
    return (
        f"Classification, {title}: {len(classes.counts)} classes of {images} images; {len(classes.train)} training"
        f" images, {classes.per_class} of each class, and {len(classes.test)} test images.\n"
        f"The class folders: {classes.root}\n{deeper}{_left_out(classes.left_out)}\n"
        f"{_count(epochs, 'epoch', 'epochs')}."
    )


def describe_maps(title: str, train: OwnMaps, test: OwnMaps, task: OwnTask) -> str:
    """Format, photos, classes by photos and share of the pixels, what was left out and why, epochs.

    Args:
        title: What the data are called.
        train, test: The two parts.
        task: The training.
    """
    parts = (train, test)
    totals = [part.totals() for part in parts]
    scored = [max(1, sum(total.values()) - total[VOID]) for total in totals]
    rows = [
        [name, *(f"{sum(label in counts for counts in part.pixels)}" for part in parts)]
        + [f"{100 * total[label] / count:.1f}" for total, count in zip(totals, scored, strict=True)]
        for label, name in enumerate(train.classes)
    ]
    head = ["photos with", "training", "test", "% of pixels, training", "test"]
    absent = [name for label, name in enumerate(train.classes) if not totals[0][label]]
    void = [total[VOID] / max(1, sum(total.values())) for total in totals]
    left_out = Counter(train.left_out) + (Counter(test.left_out) if train.left_out is not test.left_out else Counter())
    lines = [
        f"Segmentation, {title}: {len(train.images)} training and {len(test.images)} test images,"
        f" {len(train.classes)} classes.",
        f"Read as {train.form}{f', its parts {train.part} and {test.part}' if train.part else ''}.",
        text_table(head, rows[:_SHOWN]) + (f"\n({len(rows) - _SHOWN} more classes)" if len(rows) > _SHOWN else ""),
        *([f"No training pixel of {', '.join(absent[:_SHOWN])}."] if absent else []),
        *([f"Void, neither learned nor scored: {100 * void[0]:.1f} and {100 * void[1]:.1f} %."] if any(void) else []),
        *(f"Note: {text}." for text in dict.fromkeys([*train.remarks, *test.remarks])),
        _left_out(left_out),
        f"{_count(task.epochs, 'epoch', 'epochs')}, {task.steps} steps. Trimaps are measured around"
        f" {'the void border of objects' if bordered(test) else 'the border between labels'}.",
    ]
    return "\n".join(lines)


def describe_inits(
    inits: Sequence[OwnInit], choice: ModelChoice, pretrainings: Sequence[OwnPretraining] = (), *, probed: bool
) -> str:
    """Each initialization, and what the check of its file said; without any, those that can be had.

    Args:
        inits: Beside the one from scratch.
        choice: The model.
        pretrainings: Further ones, which the study trains.
        probed: Whether there are images by class for probes.
    """
    lines = ["  scratch: without weights"]
    for init in inits:
        layers = ", its layers are probed too" if probed and init.detector else ""
        lines.append(f"  {init.key}: {init.found}{layers}")
    for pretraining in pretrainings:
        first = f"from {pretraining.first.key}" if pretraining.first else "from scratch"
        task = pretraining.task
        lines.append(f"  {pretraining.key}: trained here on {task.title}, {first}, {task.steps} steps")
    if not inits and not pretrainings:
        lines += ["Nothing is compared with it yet. Weights for this model (--init KEY=FILE):"]
        lines += [f"  {entry.name}  ({entry.pretrained_on}; {entry.license})" for entry in fitting_weights(choice)]
        own = "of a *_sample config" if choice.zoo is None else "of your own: any file with this backbone"
        lines += [f"  weights {own}"]
    return "\n".join(["Initializations:", *lines])


def fitting_weights(choice: ModelChoice) -> list[ZooEntry]:
    """Weights of the zoo that a model can take: of its backbone, and for images prepared as it prepares them."""
    if choice.zoo is None:
        return []
    wanted = {"mean": MEAN, "std": STD} if choice.backbone is None else named_backbone(choice.backbone).preprocessing
    entries = (zoo_entry(name) for name in zoo_names(choice.zoo) if not name.endswith(_REGISTERS))
    return [entry for entry in entries if all(_near(getattr(entry, key), wanted[key]) for key in ("mean", "std"))]


def _near(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= TOLERANCE for a, b in zip(one, other, strict=True))


def describe_model(choice: ModelChoice, why: str = "") -> str:
    """The model, what a training step of it was measured to cost, and how many published weights fit.

    Args:
        choice: The model.
        why: Why it was proposed; empty where it was asked for.
    """
    lines = [f"Model: {choice.title}{f' (--model {choice.name}: {why})' if why else ''}."]
    steps = [
        f"{cost.seconds:,.3g} s and {cost.gibibytes:.2g} GiB for {cost.items} {_ITEMS[task]} of {cost.side} pixels"
        for task, cost in choice.costs.items()
    ]
    if steps:
        lines.append(f"A training step takes {', '.join(steps)}, measured on one core of a CPU.")
    fitting = fitting_weights(choice)
    if fitting:
        lines.append(f"{_count(len(fitting), 'file', 'files')} of the zoo can fit, such as {fitting[0].name}.")
    return "\n".join(lines)


def describe_cpu(choice: ModelChoice) -> str:
    """The warning of a machine without a GPU.

    Args:
        choice: The model.
    """
    small = ", ".join(name for name, other in MODELS.items() if not other.for_gpus)
    return f"Warning: there is no GPU here, and --model {choice.name} is for GPUs; for a CPU are {small}."


def _recognized(part: OwnBoxes) -> str:
    images, boxes = part.found
    where = f", its part {part.part}" if part.part else ""
    return f"Read as {part.form}{where}: {_count(images, 'image', 'images')}, {_count(boxes, 'box', 'boxes')}."


def _boxes_by_class(train: OwnBoxes, test: OwnBoxes) -> str:
    counts = [_counts(part) for part in (train, test)]
    rows = [[name, *(str(part[label]) for part in counts)] for label, name in enumerate(train.classes)]
    foot = ["all", *(str(sum(part.values())) for part in counts)]
    table = text_table(["boxes of", "training", "test"], rows[:_SHOWN], foot)
    return table + (f"\n({len(rows) - _SHOWN} more classes)" if len(rows) > _SHOWN else "")


def _counts(part: OwnBoxes) -> Counter[int]:
    return Counter(part.boxes["label"][~part.boxes["crowd"]].tolist())


def _notes(where: str, part: OwnBoxes) -> list[str]:
    counts, lines = _counts(part), []
    if missing := [name for label, name in enumerate(part.classes) if not counts[label]]:
        lines.append(f"No {where} box of {listed(missing, _SHOWN)}: the mean of the test leaves such classes out.")
    if without := len(part.files) - len(np.unique(part.boxes["image"])):
        lines.append(f"{_count(without, f'{where} image', f'{where} images')} without a box.")
    if crowds := int(part.boxes["crowd"].sum()):
        are = _count(crowds, f"{where} box is", f"{where} boxes are")
        lines.append(f"{are} crowd or difficult: neither learned nor counted.")
    return lines


def _left_out(counts: Mapping[str, int]) -> str:
    return f"Left out: {'; '.join(f'{count} {what}' for what, count in counts.items()) or 'nothing'}."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
