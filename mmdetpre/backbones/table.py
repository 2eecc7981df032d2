"""What a model has to know of its backbone: the files of ``configs/_base_/backbones``, and a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.utils.stages import STAGES

FOLDER = CONFIG_ROOT / "_base_" / "backbones"


@dataclass(frozen=True)
class Backbone:
    """A backbone of four stages and what follows from it.

    Attributes:
        name: Of its file.
        backbone: Config of the module, without ``out_indices`` and ``frozen_stages``.
        channels: Of the map of each stage.
        strides: Of the map of each stage, in pixels.
        preprocessing: ``mean`` and ``std`` in grey levels; with ``channel_order="bgr"`` if not RGB.
        imagenet_cls: Arguments of `BackboneInit` of this name; None: there is no such file.
        out_indices: What the module calls the map of each stage.
        frozen_stages: What the module calls "nothing frozen", "stem", "stem and stage 1" ... "all"; None: it cannot.
        norm_eval: Whether the module has this option.
        dense: Changes of the module that bring the last stage to the stride of the one before.
        joined: Stages that a model with a single map reads; without ``dense`` the smaller are resized.
        classifier: Changes for a classifier: ``backbone``, ``neck``.
        optim_wrapper: Changes of the optimizer; None: that of the config fits.
        learning_rates: Scope -> rate of that optimizer, for 16 images a step.
    """

    name: str
    backbone: Mapping[str, Any]
    channels: Sequence[int]
    strides: Sequence[int]
    preprocessing: Mapping[str, Any]
    imagenet_cls: Mapping[str, Any] | None = None
    out_indices: Sequence[int] = (0, 1, 2, 3)
    frozen_stages: Sequence[int | None] = (-1, 0, 1, 2, 3, 4)
    norm_eval: bool = False
    dense: Mapping[str, Any] | None = None
    joined: Sequence[int] = (2, 3)
    classifier: Mapping[str, Any] = field(default_factory=dict)
    optim_wrapper: Mapping[str, Any] | None = None
    learning_rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {"channels": STAGES, "strides": STAGES, "out_indices": STAGES, "frozen_stages": STAGES + 2}
        for key, size in sizes.items():
            if len(getattr(self, key)) != size:
                raise ValueError(
                    f"{key} of the backbone {self.name!r} has {len(getattr(self, key))} entries, not {size}."
                )

    def frozen(self, stages: int) -> int:
        """The module's ``frozen_stages`` for that of a ResNet.

        Args:
            stages: -1: nothing; 0: the stem; n: the stem and n stages.

        Raises:
            ValueError: If the module cannot freeze these alone.
        """
        value = self.frozen_stages[stages + 1]
        if value is None:
            raise ValueError(f"{self.name} cannot freeze its stem alone: set model.backbone.frozen_stages=-1 or 1.")
        return value


def backbone_names() -> list[str]:
    """Names of all backbones of ``configs/_base_/backbones``.

    Example:
        >>> backbone_names()[:3]
        ['convnext_tiny', 'dinov2_small', 'efficientnet_lite0']
    """
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def named_backbone(name: str) -> Backbone:
    """A backbone by its name, or by the path of a file of the same form.

    Args:
        name: One of `backbone_names`, or a path that ends in ``.py``.

    Raises:
        ValueError: If there is none of this name, or the file is not of that form.

    Example:
        >>> named_backbone("swin_tiny").channels
        (96, 192, 384, 768)
    """
    path = Path(name) if name.endswith(".py") else FOLDER / f"{name}.py"
    if name not in backbone_names() and not (name.endswith(".py") and path.is_file()):
        raise ValueError(
            f"model.backbone.name={name!r} is not known; choose one of {', '.join(backbone_names())}, or a file of the"
            f" form of configs/_base_/backbones: model.backbone.name=FILE.py."
        )
    entry = Config.fromfile(path).to_dict()
    known = {one.name for one in fields(Backbone)} - {"name"}
    if unknown := sorted(set(entry) - known):
        raise ValueError(f"{path} has {', '.join(unknown)}; a backbone is described by {', '.join(sorted(known))}.")
    try:
        return Backbone(path.stem, **entry)
    except TypeError as error:
        raise ValueError(f"{path} does not describe a backbone: {error}.") from error
