"""What an exported backbone says of itself, in the file beside the weights."""

from __future__ import annotations

from typing import TypedDict


class PreprocessingMetadata(TypedDict):
    """How images were prepared for the weights, see `mmdetpre.transfer.preprocessing.Preprocessing`. None: not known.

    Attributes:
        mean, std: Per channel, in grey levels.
        channel_order: ``rgb`` or ``bgr``.
        style: ``pytorch`` or ``caffe``.
    """

    mean: list[float] | None
    std: list[float] | None
    channel_order: str | None
    style: str | None


class BackboneMetadata(TypedDict, total=False):
    """Metadata of an exported backbone. Each key may be missing, and those that a user adds stand beside them.

    Attributes:
        digest: Of the weights, see `mmdetpre.transfer.digest`.
        architecture: In words.
        preprocessing: How images were prepared.
        checkpoint, entry: File that the weights were taken from, and the entry of it.
        weights: ``averaged by EMAHook`` where they are.
        library: Of imported weights.
        toolbox, config, experiment_name: Of the training.
        source_dataset: Type and files of the training data.
        strides, dilations: Of the stages of a ResNet.
        epoch, iter: How long it was trained.
        mmengine_version, mmdet_version, mmcv_version: Versions that it was trained with.
    """

    digest: str
    architecture: str
    preprocessing: PreprocessingMetadata | None
    checkpoint: str
    entry: str
    weights: str
    library: str
    toolbox: str
    config: str
    experiment_name: str
    source_dataset: str
    strides: list[int]
    dilations: list[int]
    epoch: int
    iter: int
    mmengine_version: str
    mmdet_version: str
    mmcv_version: str
