"""A detector of the configs with random weights, and batches of chips as the data loader gives them.

Annotations are drawn with the statistics of COCO; the chips are mined, shuffled, flipped and packed by the classes of
a training run (:class:`ChipDataset`, :class:`ChipMiningSampler`, the config's pipeline). Only pixels are drawn instead
of decoded. Nothing here waits for a device.

    model = build_detector(depth=50, device="cuda")
    batch = chip_batch(16)
    optim_wrapper = build_optim_wrapper(model)
    log_vars = training_step(model, batch, optim_wrapper)
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from coco_like import coco_like
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.optim import build_optim_wrapper as build_wrapper
from mmengine.structures import InstanceData
from torch import Tensor
from torch.utils.data import Dataset

from mmdetpre.chips.scale import scale_factor, scaled_size
from mmdetpre.datasets import ChipDataset, ChipMiningSampler, parcel_collate
from mmdetpre.datasets.packed.annotations import IGNORE, PackedAnnotations
from mmdetpre.datasets.transforms import LoadChip

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "det" / "sniper_coco.py"


def read_config(path: Path = CONFIG, options: Mapping[str, Any] | None = None) -> Config:
    """A config with the values of dotted keys replaced, as ``--cfg-options`` does."""
    config = Config.fromfile(path)
    config.merge_from_dict(dict(options or {}))
    return config


def build_detector(
    depth: int | None = None,
    device: torch.device | str = "cpu",
    config: Path = CONFIG,
    options: Mapping[str, Any] | None = None,
) -> BaseModel:
    """The model of a config in training mode, with seeded random weights.

    Args:
        depth: Of the ResNet; the config's if not given.
        device: Where the parameters go.
        config: A config of the project or of mmdet.
        options: Values to replace, by dotted key: ``{"model.train_cfg.rcnn.num_rois": 100}``.
    """
    register_all_modules(init_default_scope=True)
    model = read_config(config, options).model
    model.backbone.init_cfg = None
    if depth is not None:
        model.backbone.depth = depth
    torch.manual_seed(0)
    MMLogger.get_current_instance().setLevel(logging.ERROR)  # it tells of every layer
    detector = MODELS.build(model)
    detector.init_weights()
    return detector.to(device).train()


def build_optim_wrapper(model: BaseModel, config: Path = CONFIG, **changes: Any) -> OptimWrapper:
    """The optimizer of a config, by ``changes`` of the wrapper also ``type="AmpOptimWrapper"`` for mixed precision."""
    return build_wrapper(model, dict(read_config(config).optim_wrapper, **changes))


def training_step(model: BaseModel, batch: dict, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
    """One step as mmengine's loop makes it: preprocessing, losses, gradients, new weights. The losses stay tensors."""
    return model.train_step(batch, optim_wrapper)


class DrawnImages(Dataset):
    """Annotations without images, for :class:`ChipDataset`."""

    def __init__(self, packed: PackedAnnotations) -> None:
        self.packed = packed
        self.metainfo = dict(classes=packed.classes)

    def full_init(self) -> None:
        """Nothing is to be read."""


class DrawnChip(LoadChip):
    """Boxes of a chip as ``LoadChip`` carries them, on smooth random pixels that follow NumPy's seed."""

    def _pixels(self, results: dict) -> np.ndarray:
        coarse = np.random.randint(0, 256, (16, 16, 3), np.uint8)
        return cv2.resize(coarse, results["chip"][2:], interpolation=cv2.INTER_CUBIC)


def chip_dataset(packed: PackedAnnotations, config: Path = CONFIG) -> ChipDataset:
    """Chips of a table with the chip settings and the pipeline of a config, decoding aside."""
    register_all_modules(init_default_scope=True)
    data = read_config(config).train_dataloader.dataset
    return ChipDataset(DrawnImages(packed), data.chips, [DrawnChip(), *data.pipeline[1:]])


def image_batch(count: int, seed: int = 0, scale: tuple[int, int] = (800, 1333)) -> dict:
    """``inputs`` and ``data_samples`` of whole images of 640 x 480 pixels, scaled as mmdet's configs do."""
    packed = coco_like(max(16 * count, 64), seed)
    chosen = np.flatnonzero((packed.sizes == (640, 480)).all(axis=1))[:count]
    s = scale_factor(640, 480, scale)
    width, height = scaled_size(640, 480, s)
    samples = []
    for i in chosen:
        rows = packed.slice_of(i)
        crowd = (packed.flags[rows] & IGNORE).astype(bool)
        sample = DetDataSample(metainfo=dict(img_shape=(height, width), ori_shape=(480, 640), scale_factor=(s, s)))
        sample.gt_instances, sample.ignored_instances = (
            InstanceData(
                bboxes=torch.from_numpy(packed.boxes[rows][part] * np.float32(s)),
                labels=torch.from_numpy(packed.labels[rows][part].astype(np.int64)),
            )
            for part in (~crowd, crowd)
        )
        samples.append(sample)
    coarse = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    image = torch.from_numpy(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)).permute(2, 0, 1)
    return dict(inputs=[image.contiguous()] * count, data_samples=samples)


def chip_batch(count: int, seed: int = 0, config: Path = CONFIG) -> dict:
    """``inputs`` (uint8, 512 x 512 or what an image has) and ``data_samples`` of chips, stacked, on the CPU."""
    dataset = chip_dataset(coco_like(max(4 * count, 64), seed), config)
    records = iter(ChipMiningSampler(dataset, seed=seed))
    return parcel_collate([dataset[next(records)] for _ in range(count)])
