"""How images are prepared for a backbone: a part of its weights in all but name.

No tensor tells mean, deviation, channel order, or which convolution of a bottleneck has the stride (``style``). They
are read from the metadata of an exported backbone, from the config inside a checkpoint of mmengine, or, failing both,
known from where the file comes from; and compared with the model that is to use the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from mmdetpre.transfer.backbone_metadata import PreprocessingMetadata
from mmdetpre.transfer.checkpoint_reader import Checkpoint, CheckpointError
from mmdetpre.utils.literal_config import literal_config

TOLERANCE = 0.5
"""Greatest difference of mean or deviation that counts as equal, in grey levels."""


@dataclass(frozen=True)
class Preprocessing:
    """How images reach the backbone. None: not known.

    Attributes:
        mean: Subtracted per channel, in the order the network sees, in grey levels (0-255).
        std: Divided by, likewise.
        channel_order: ``rgb`` or ``bgr``, as the network sees them.
        style: ``pytorch`` (stride in the 3x3 convolution of a bottleneck) or ``caffe`` (in the first 1x1).
        origin: Where this is known from.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channel_order: str | None = None
    style: str | None = None
    origin: str = ""

    def __str__(self) -> str:
        known = {"mean": self.mean, "std": self.std, "channels": self.channel_order, "style": self.style}
        text = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
        return f"{text or 'not known'}{f' ({self.origin})' if self.origin else ''}"

    def to_dict(self) -> PreprocessingMetadata:
        """Plain values, for metadata and JSON."""
        mean, std = (None if values is None else list(values) for values in (self.mean, self.std))
        return {"mean": mean, "std": std, "channel_order": self.channel_order, "style": self.style}


CAFFE = Preprocessing((103.53, 116.28, 123.675), (1.0, 1.0, 1.0), "bgr", "caffe")
IMAGENET = Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "rgb", "pytorch")

TORCHVISION = ("torchvision://resn", "torchvision://wide_resn", "https://download.pytorch.org/models/resn")


def from_config(config: Mapping[str, Any], origin: str = "its config") -> Preprocessing | None:
    """What a config of mmdet, mmsegmentation or mmpretrain says; None if it says nothing.

    Since version 3 of mmdet that is the data preprocessor; before, ``img_norm_cfg`` and the transform ``Normalize`` of
    the pipelines. Images are taken as loaded in OpenCV's order, BGR, as all three load them by default.

    Args:
        config: The whole config, as ``mmengine.Config`` or dictionary.
        origin: What to call it in messages.
    """
    model = config.get("model") or {}
    if not isinstance(model, Mapping):
        return None
    found = model.get("data_preprocessor") or config.get("data_preprocessor")
    while isinstance(found, Mapping) and isinstance(found.get("data_preprocessor"), Mapping):
        found = found["data_preprocessor"]  # semi-supervised detectors wrap it
    if not isinstance(found, Mapping):
        found = _normalization(config)
    if found is None:
        return None
    mean, std = found.get("mean"), found.get("std")
    backbone = model.get("backbone")
    backbone = backbone if isinstance(backbone, Mapping) else {}
    is_resnet = "ResNe" in str(backbone.get("type", ""))
    return Preprocessing(
        _numbers(mean) if mean is not None else (0.0, 0.0, 0.0),
        _numbers(std) if std is not None else (1.0, 1.0, 1.0),
        "rgb" if found.get("bgr_to_rgb") or found.get("to_rgb") else "bgr",
        str(backbone.get("style") or "pytorch") if is_resnet else None,
        origin,
    )


def _normalization(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """How a config of mmdet 2, mmseg 0 or mmcls 0 prepares images: in its training pipeline, or by ``img_norm_cfg``."""
    data = config.get("data")
    train = data.get("train") if isinstance(data, Mapping) else None
    transforms = [*_transforms(config.get("train_pipeline")), *_transforms(train)]
    for found in (*transforms, config.get("img_norm_cfg")):
        if isinstance(found, Mapping) and found.get("mean") is not None:
            return {"to_rgb": True, **found}  # mmcv's default
    return None


def _transforms(value: Any) -> Iterator[Mapping[str, Any]]:
    """The transforms ``Normalize`` within lists and dictionaries: data sets wrap one another, and so do transforms."""
    if isinstance(value, Mapping):
        if value.get("type") == "Normalize":
            yield value
        for inner in value.values():
            yield from _transforms(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _transforms(inner)


def of_checkpoint(checkpoint: Checkpoint, naming: str) -> Preprocessing | None:
    """What is known of a file: its metadata, else its config, else a rule; None if nothing.

    Rules: those of `of_detectron2`; BGR, no deviation and caffe style for files with ``caffe`` in their name;
    torchvision's own addresses mean the usual RGB mean and deviation. Its files under another name, and timm's, are
    taken as unknown: they carry nothing, and timm's preprocessing differs from model to model.

    Raises:
        CheckpointError: If what the file tells is not a preprocessing.
    """
    try:
        if found := _told(checkpoint):
            return found
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{checkpoint.source} tells its preprocessing in a way that cannot be read ({error}): mean and std are"
            " lists of numbers. Export the file again."
        ) from error
    if naming == "detectron2":
        return of_detectron2(checkpoint.tensors)
    if "caffe" in checkpoint.source.rsplit("/", 1)[-1].lower():
        return replace(CAFFE, origin="by rule: 'caffe' in the file's name")
    if checkpoint.source.startswith(TORCHVISION):
        return replace(IMAGENET, origin="by rule: torchvision's address")
    return None


def of_detectron2(tensors: Mapping[str, Tensor]) -> Preprocessing:
    """How detectron2 prepares images for a file of its own.

    The file may hold ``pixel_mean`` and ``pixel_std``: with a deviation it is of the form that detectron2 took over
    from torchvision (stride in the 3x3 convolution), without it of its own (caffe style); the greater mean is red's. Of
    a file without them a ResNet is taken as BGR, no deviation and caffe style, and of others nothing is known.

    Args:
        tensors: All tensors of the file.
    """
    mean, std = tensors.get("pixel_mean"), tensors.get("pixel_std")
    if mean is None or std is None or mean.numel() != 3 or std.numel() != 3:
        if any(name.endswith("res2.0.conv1.weight") for name in tensors):
            return replace(CAFFE, origin="by rule: detectron2's names")
        return Preprocessing(origin="its config says it")
    means, deviations = (tuple(float(value) for value in values.flatten()) for values in (mean, std))
    order = "rgb" if means[0] > means[2] else "bgr"
    style = "caffe" if max(deviations) < 10 else "pytorch"
    return Preprocessing(means, deviations, order, style, "pixel_mean and pixel_std of the file")


def _told(checkpoint: Checkpoint) -> Preprocessing | None:
    stored = checkpoint.backbone_metadata.get("preprocessing")
    if isinstance(stored, Mapping):
        mean, std = stored.get("mean"), stored.get("std")
        return Preprocessing(
            None if mean is None else _numbers(mean),
            None if std is None else _numbers(std),
            stored.get("channel_order"),
            stored.get("style"),
            "its metadata",
        )
    return from_config(literal_config(checkpoint.config_text))


def differences(source: Preprocessing | None, target: Preprocessing | None, bottleneck: bool = True) -> list[str]:
    """What differs between file and model, one text each; what either does not know counts as equal.

    Args:
        source: Of the file.
        target: Of the model.
        bottleneck: Whether the blocks have a 1x1 convolution that could hold the stride; if not, style means nothing.
    """
    if source is None or target is None:
        return []
    found = []
    for name in ("mean", "std"):
        ours, theirs = getattr(source, name), getattr(target, name)
        if ours is not None and theirs is not None:
            near = len(ours) == len(theirs) and all(abs(a - b) <= TOLERANCE for a, b in zip(ours, theirs, strict=True))
            if not near:
                found.append(f"{name}: file {ours}, model {theirs}")
    if None not in (source.channel_order, target.channel_order) and source.channel_order != target.channel_order:
        found.append(f"channel order: file {source.channel_order}, model {target.channel_order}")
    if bottleneck and None not in (source.style, target.style) and source.style != target.style:
        found.append(f"style: file {source.style}, model {target.style}")
    return found


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
