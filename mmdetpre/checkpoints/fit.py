"""Do checkpoint, model and data fit each other? mmengine only warns, or trains on, where they do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmdetpre.utils.plain_text import one_line

TRAINING_ONLY = ("auxiliary_head.",)
"""Beginnings of the names of weights that only training uses, and a checkpoint may leave out: mmseg's second head."""


def require_fit(model: nn.Module, checkpoint: Mapping[str, Any], name: str) -> None:
    """Refuses a checkpoint with weights of other shapes than the model's, or without some of them, before it is loaded.

    Weights of ``TRAINING_ONLY`` parts and the counters ``num_batches_tracked`` may be missing.

    Args:
        model: The model itself, not a wrapper.
        checkpoint: What was read from the file, with or without the key ``state_dict``.
        name: What the message calls the checkpoint, usually its path.

    Raises:
        ValueError: Another class count is distinguished from another model: the message names both counts, the weight
            that shows them and the config value to change. Missing weights are counted and the first named.

    Example:
        >>> require_fit(nn.Linear(2, 3), {"weight": Tensor(4, 2)}, "a.pth")
        Traceback (most recent call last):
        ...
        ValueError: a.pth belongs to another model: weight is (4, 2) there and (3, 2) here ...
    """
    weights = checkpoint.get("state_dict", checkpoint)
    weights = {key.removeprefix("module."): value for key, value in weights.items() if isinstance(value, Tensor)}
    here = model.state_dict()
    differing = [key for key, value in here.items() if key in weights and weights[key].shape != value.shape]
    inside = [key for key in differing if here[key].shape[1:] != weights[key].shape[1:]]  # more than the outputs
    for key in () if inside else differing:
        counts = _class_counts(model, key, here[key], weights[key])
        if counts is not None and all(other.startswith(f"{counts[0]}.") for other in differing):
            head, model_count, count = counts
            raise ValueError(
                f"{name} was trained for {count} classes, the config asks for {model_count}: {key} is"
                f" {tuple(weights[key].shape)} there and {tuple(here[key].shape)} here. Set model.{head}.num_classes="
                f"{count} with the classes of that training, or take a checkpoint of these {model_count} classes."
            )
    if differing:
        key = (inside or differing)[0]
        raise ValueError(
            f"{name} belongs to another model: {key} is {tuple(weights[key].shape)} there and {tuple(here[key].shape)}"
            f" here ({len(differing)} of {len(here)} weights differ in shape). Take the config it was trained with."
        )
    used = [key for key in here if not key.startswith(TRAINING_ONLY) and not key.endswith("num_batches_tracked")]
    if missing := [key for key in used if key not in weights]:
        raise ValueError(
            f"{name} lacks {len(missing)} of the {len(used)} weights of this model, e.g. {missing[0]}: take the config"
            " it was trained with, or train first (fine-tuning: backbone_init / load_from)."
        )


def require_classes(model: nn.Module, classes: Sequence[str]) -> None:
    """Refuses training data with another number of classes than the model's head distinguishes.

    mmdet's ``NumClassCheckHook`` does not fit here: it compares every module that has ``num_classes``, so also
    R-FCN-3000's objectness head, and also with the validation data, where ILSVRC-DET has 200 classes for a model of
    3,130.

    Args:
        model: A model; a region proposal network, or a model without head, tells no classes apart.
        classes: Class names of the training data.

    Raises:
        ValueError: Names both counts, the config value and the classes.

    Example:
        >>> require_classes(nn.Linear(2, 3), ["cat"])
    """
    found = class_head(model)
    if found is None or found[1] == len(classes):
        return
    name, count = found
    shown = ", ".join(one_line(name)[:100] for name in classes[:10]) + (", ..." if len(classes) > 10 else "")
    raise ValueError(
        f"The training data has {len(classes)} classes ({shown}), but model.{name}.num_classes is {count}. Set it to"
        f" {len(classes)}, or `classes` of the data set to the {count} that are meant."
    )


def class_head(model: nn.Module) -> tuple[str, int] | None:
    """Name of the head whose ``num_classes`` are those of the data, and that number."""
    for name in ("roi_head", "roi_head.bbox_head", "bbox_head", "decode_head", "head"):
        try:
            head = model.get_submodule(name)
        except AttributeError:
            continue
        head = head[0] if isinstance(head, nn.ModuleList) else head  # a cascade
        count = getattr(head, "num_classes", None)
        proposes = "RPNHead" in (kind.__name__ for kind in type(head).__mro__)  # other toolboxes do without mmdet
        if isinstance(count, int) and not proposes:
            return name, count
    return None


def _class_counts(model: nn.Module, key: str, here: Tensor, there: Tensor) -> tuple[str, int, int] | None:
    """Head, its class count and that of the checkpoint, if the weight is the head's classifier."""
    parts = key.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        head = ".".join(parts[:depth])
        count = getattr(model.get_submodule(head), "num_classes", None)
        if isinstance(count, int):
            if len(here) == count + 1:  # one output per class and one for background
                return head, count, len(there) - 1
            each, rest = divmod(len(here), count)  # one per class, perhaps at each of several anchors
            if rest == 0 and len(there) % each == 0:
                return head, count, len(there) // each
    return None
